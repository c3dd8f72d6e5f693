/* Checks with a license server, when a program starts, whether this computer may run it. Version 1.2.0.
 *
 * For Windows 10 and later, with nothing but the Windows SDK. A C++17 program adds licenseclient.cpp and this file:
 *
 *     #include "licenseclient.h"
 *
 *     // From the vendor's dashboard: the current key and the next one. Never fetch them at run time.
 *     const wchar_t kKeys[] = L"<x>.<y>,<x>.<y>";
 *
 *     const auto license = licensing::Check(L"https://example.com/licenseserver", L"YourToolName", kKeys);
 *     if (!license.valid) {
 *         MessageBoxW(nullptr, license.message.c_str(), L"License", MB_ICONERROR);  // written for your customer
 *         return 1;
 *     }
 *
 * Other languages load the same code as licenseclient.dll, which needs no other DLL; licenseclient.def names its
 * functions. The architecture is that of the program that loads it, so build one for x86 and one for x64:
 *
 *     cl /std:c++17 /W4 /O1 /EHsc /MT /LD licenseclient.cpp /link /DEF:licenseclient.def
 *
 *     x86_64-w64-mingw32-g++ -std=c++17 -Os -s -shared -static -Wl,--enable-stdcall-fixup \
 *         licenseclient.cpp licenseclient.def -o licenseclient.dll \
 *         -lwinhttp -lbcrypt -liphlpapi -ladvapi32 -lcfgmgr32 -lshell32
 *
 * (i686-w64-mingw32-g++ for x86.) A program that is linked with licenseclient.cpp needs the same libraries.
 *
 * Only an answer that the server signed for this check counts, and a good one is kept as a lease: until it expires, the
 * program can start without a network. All functions may be called from any thread, but not from DllMain.
 */
#ifndef LICENSECLIENT_H
#define LICENSECLIENT_H

#include <wchar.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results: the program may run if it is positive. LICENSE_NO_ANSWER is not a refusal. */
enum {
    LICENSE_VALID = 1,
    LICENSE_IN_GRACE = 2,
    LICENSE_TRIAL = 3,
    LICENSE_NO_ANSWER = 0,
    LICENSE_EXPIRED = -1,
    LICENSE_SUSPENDED = -2,
    LICENSE_REVOKED = -3,
    LICENSE_NOT_FOUND = -4,
    LICENSE_REFUSED = -5, /* an activation code or an offline file was refused; see the detail "reason" */
    LICENSE_REMOVED = -6  /* this computer has given its seat back */
};

enum {
    LICENSE_REFRESH = 1,     /* ask the server even if a stored lease would do */
    LICENSE_OFFER_TRIAL = 2  /* a machine without a license may start the tool's trial */
};

/* Whether this computer may run the tool. Takes at most about timeout_ms for each address; 0 means 5000.
 * server  for example L"https://example.com/licenseserver", or several addresses, separated by commas or line breaks:
 *         the next is asked only if there is no answer from the one before. Leases are stored under the first.
 * keys    the server's public keys, each as "x.y", separated by commas or line breaks */
int __stdcall LicenseCheck(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, int timeout_ms, int flags);

/* Lets this computer take a seat of the activation code that the customer has entered. The result is that of a check, or
 * LICENSE_REFUSED. The code is sent only to this server, and never where its certificate cannot be verified. */
int __stdcall LicenseActivate(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, const wchar_t *code,
                              int timeout_ms);

/* Gives the seat of this computer back, for another computer. The result is LICENSE_REMOVED, LICENSE_REFUSED or
 * LICENSE_NO_ANSWER. */
int __stdcall LicenseDeactivate(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, const wchar_t *code,
                                int timeout_ms);

/* What a computer without a network asks the vendor: a text to copy, which stays the same until the answer to it is
 * imported. LicenseOfflineUrl is the same as an address of the vendor's claim page, for a link or a QR code. Empty if
 * there can be none: without usable keys, a machine ID, or a folder to store it in. Both fill the buffer as
 * LicenseDetail does, and return the length. */
int __stdcall LicenseOfflineRequest(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, wchar_t *buffer,
                                    int length);
int __stdcall LicenseOfflineUrl(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, wchar_t *buffer,
                                int length);

/* Stores an offline file, which is the vendor's answer to the request: its content, or a text that contains it. The
 * result is that of a check, or LICENSE_REFUSED. */
int __stdcall LicenseImport(const wchar_t *server, const wchar_t *tool, const wchar_t *keys, const wchar_t *text);

/* By the latest check, activation or import of this tool, 1 or 0:
 * LicenseHas              the license is valid and has this feature
 * LicenseUpdateAvailable  this version of your program is older than the latest one
 * LicenseIsBelowMinimum   it is older than the oldest one that the vendor still wants to run
 * LicenseCovers           the license covers a version that was built on this day, such as L"2027-12-31"; every one if
 *                         it has no last day for updates
 * Versions are numbers, compared one after the other: 1.10 is newer than 1.9, and 2 is 2.0.0. What follows a hyphen
 * makes a pre-release, which is older: 2.0-beta2, 2.0-beta10, 2.0-rc1, 2.0. A leading "v", and "+" with what follows
 * it, are ignored. Any other text is neither older nor newer. */
int __stdcall LicenseHas(const wchar_t *tool, const wchar_t *feature);
int __stdcall LicenseUpdateAvailable(const wchar_t *tool, const wchar_t *my_version);
int __stdcall LicenseIsBelowMinimum(const wchar_t *tool, const wchar_t *my_version);
int __stdcall LicenseCovers(const wchar_t *tool, const wchar_t *build_date);

/* A detail of the latest check, activation, removal or import of this tool, by name:
 *   message       for the customer
 *   code          VALID, IN_GRACE, TRIAL; EXPIRED, SUSPENDED, REVOKED, NOT_FOUND; NO_ANSWER; REFUSED, REMOVED
 *   reason        why an activation code or an offline file was refused, such as SEATS_IN_USE; otherwise empty
 *   source        server, lease or none
 *   expires       the expiration date as 2027-12-31; empty for a perpetual license, or if it is not known
 *   days_left     days until then, 0 on the expiration date and later; empty if expires is
 *   machine_id    the license key of this computer, also without a check
 *   machine_code  a short form of it to read out on the telephone, such as 7K4-PQ2
 *   diagnostic    a text to copy into a mail to the vendor; it contains no secrets
 *   edition, features, data, updates_until, latest_version, latest_url, minimum_version
 *                 as the vendor has set them, otherwise empty; features are separated by line feeds
 * Returns the length of the text and copies as much as fits into the buffer, which always ends with a null character.
 * `length` counts characters, the null character included; with 0, nothing is copied. */
int __stdcall LicenseDetail(const wchar_t *tool, const wchar_t *name, wchar_t *buffer, int length);

/* What later checks tell the vendor: the version of your program, and the customer. Each may be null. */
void __stdcall LicenseSetInfo(const wchar_t *version, const wchar_t *customer_name, const wchar_t *customer_email);

/* Waits until a lease that is being renewed in the background has been renewed; returns 0 if that takes longer.
 * Windows ends all threads before a DLL learns that the program exits. A program that uses the DLL and may exit within a
 * second of its start should therefore call LicenseWait(1000) first; one that contains licenseclient.cpp need not. */
int __stdcall LicenseWait(int timeout_ms);

#ifdef __cplusplus
}

#include <string>

namespace licensing {

struct License {
    bool valid;
    int code;  // LICENSE_VALID and so on
    std::wstring message;
};

inline std::wstring Detail(const std::wstring& tool, const wchar_t* name) {
    std::wstring text(static_cast<size_t>(LicenseDetail(tool.c_str(), name, nullptr, 0)) + 1, L'\0');
    const int length = LicenseDetail(tool.c_str(), name, &text[0], static_cast<int>(text.size()));
    text.resize(static_cast<size_t>(length) < text.size() ? static_cast<size_t>(length) : text.size() - 1);
    return text;
}

inline License Check(const std::wstring& server, const std::wstring& tool, const std::wstring& keys, int flags = 0,
                     int timeout_ms = 5000) {
    const int code = LicenseCheck(server.c_str(), tool.c_str(), keys.c_str(), timeout_ms, flags);
    return { code > 0, code, Detail(tool, L"message") };
}

inline License Activate(const std::wstring& server, const std::wstring& tool, const std::wstring& keys,
                        const std::wstring& code, int timeout_ms = 5000) {
    const int result = LicenseActivate(server.c_str(), tool.c_str(), keys.c_str(), code.c_str(), timeout_ms);
    return { result > 0, result, Detail(tool, L"message") };
}

inline License Deactivate(const std::wstring& server, const std::wstring& tool, const std::wstring& keys,
                          const std::wstring& code, int timeout_ms = 5000) {
    const int result = LicenseDeactivate(server.c_str(), tool.c_str(), keys.c_str(), code.c_str(), timeout_ms);
    return { result > 0, result, Detail(tool, L"message") };
}

inline License Import(const std::wstring& server, const std::wstring& tool, const std::wstring& keys,
                      const std::wstring& text) {
    const int result = LicenseImport(server.c_str(), tool.c_str(), keys.c_str(), text.c_str());
    return { result > 0, result, Detail(tool, L"message") };
}

template <typename Function>
std::wstring Offline(Function get, const std::wstring& server, const std::wstring& tool, const std::wstring& keys) {
    std::wstring text(16 * 1024, L'\0');
    const int length = get(server.c_str(), tool.c_str(), keys.c_str(), &text[0], static_cast<int>(text.size()));
    text.resize(static_cast<size_t>(length) < text.size() ? static_cast<size_t>(length) : 0);
    return text;
}

inline std::wstring OfflineRequest(const std::wstring& server, const std::wstring& tool, const std::wstring& keys) {
    return Offline(LicenseOfflineRequest, server, tool, keys);
}

inline std::wstring OfflineUrl(const std::wstring& server, const std::wstring& tool, const std::wstring& keys) {
    return Offline(LicenseOfflineUrl, server, tool, keys);
}

}  // namespace licensing
#endif
#endif
