// The license client for C++ and, as licenseclient.dll, for other languages; licenseclient.h says how to use and build
// it. Texts are UTF-8 here and UTF-16 in the header and in Windows.
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include "licenseclient.h"

#include <winsock2.h>
#include <windows.h>

#include <ws2tcpip.h>

#include <bcrypt.h>
#include <cfgmgr32.h>
#include <iphlpapi.h>
#include <shlobj.h>
#include <winhttp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#ifdef _MSC_VER
#pragma comment(lib, "advapi32.lib")
#pragma comment(lib, "bcrypt.lib")
#pragma comment(lib, "cfgmgr32.lib")
#pragma comment(lib, "iphlpapi.lib")
#pragma comment(lib, "shell32.lib")
#pragma comment(lib, "winhttp.lib")
#endif

// Newer than some SDKs for Windows 10; where Windows does not know one, setting it fails and is ignored.
#ifndef WINHTTP_AUTOLOGON_SECURITY_LEVEL_PROXY_ONLY
#define WINHTTP_AUTOLOGON_SECURITY_LEVEL_PROXY_ONLY 3
#endif
#ifndef WINHTTP_OPTION_IPV6_FAST_FALLBACK
#define WINHTTP_OPTION_IPV6_FAST_FALLBACK 140
#endif

namespace {

const char kVersion[] = "1.2.0";

// Messages for the customer; translate them freely. Only the server may call a license invalid: a customer who has paid
// must not read that because a cable is loose.
const char kNoAnswer[] =
    "The license server cannot be reached. There was no answer from {address} ({why}). "
    "Please check the internet connection and the firewall, then try again.";
const char kNoResult[] =
    "The license server cannot be reached. The answer from {address} is not a license result ({why}). "
    "Please try again in a few minutes. If this does not help, contact the vendor of this program.";
const char kBadAddress[] =
    "The license server cannot be reached. This program looks for it at \"{address}\", "
    "which is not a web address. Please contact the vendor of this program.";
const char kClockHint[] =
    " This computer's date and time are earlier than when this program was started before. Please check them, and "
    "connect this computer to the internet once.";
const char kBadKeys[] =
    "The license cannot be checked: the public keys in this program cannot be used ({why}). "
    "Please contact the vendor of this program.";
const char kBadToolName[] =
    "The license cannot be checked: this program does not give its name. Please contact the vendor of this program.";
const char kNoMachineId[] =
    "The license cannot be checked: this computer has no machine ID. Please turn on its network adapter (cable or "
    "Wi-Fi) and try again, or contact the vendor of this program.";
// Why an offline file is refused, by reason. If the server has refused, its words count, and its code is the reason.
struct FileReason {
    const char *name, *message;
};
constexpr FileReason kFileReasons[] = {
    { "NO_OFFLINE_FILE",
      "This is not an offline file. Please import the answer to this computer's request as a whole." },
    { "BAD_SIGNATURE",
      "This offline file was changed, or is not from the vendor of this program. Please import it again exactly as you "
      "received it." },
    { "OTHER_TOOL", "This offline file is for another program. Please import the one for this program." },
    { "OTHER_MACHINE", "This offline file is for another computer. Please request one for this computer." },
    { "OTHER_REQUEST",
      "This offline file does not answer this computer's current request. Please send the request that this program "
      "shows now." },
    { "FILE_EXPIRED",
      "This offline file expired on {time}, and this computer's clock says {now}. Please correct the clock, or request "
      "a new file." },
    { "CLOCK_BEHIND",
      "This offline file was made on {time}, but this computer's clock says {now}. Please correct the clock, then "
      "import the file again." },
    { "NOT_STORED",
      "The offline file cannot be stored on this computer. Please make sure that the disk is neither full nor "
      "write-protected, then import the file again." },
};
const char kInTime[] = "no answer in time";
const char kProxySignIn[] = "the network's proxy requires a sign-in";
const char kBadDate[] = "the certificate has expired or is not yet valid; is this computer's date right?";
const char kBadHost[] = "the certificate is for another host name";
const char kBadIssuer[] =
    "the certificate is not trusted; a virus scanner or a proxy inspects the connection, or a root certificate is "
    "missing";

// The server's codes. Any other code is no verdict. Like all constants here it needs no destructor: a thread may still
// use it while the program exits.
struct Code {
    const char* name;
    int number;
};
constexpr Code kCodes[] = {
    { "VALID", LICENSE_VALID },         { "IN_GRACE", LICENSE_IN_GRACE },   { "TRIAL", LICENSE_TRIAL },
    { "EXPIRED", LICENSE_EXPIRED },     { "SUSPENDED", LICENSE_SUSPENDED }, { "REVOKED", LICENSE_REVOKED },
    { "NOT_FOUND", LICENSE_NOT_FOUND },
};

int CodeNumber(const std::string& name) {
    for (const Code& code : kCodes)
        if (name == code.name) return code.number;
    return LICENSE_NO_ANSWER;
}

// A result that no server signs: what came of an activation code.
int ResultNumber(const std::string& name) {
    if (name == "REFUSED") return LICENSE_REFUSED;
    return name == "REMOVED" ? LICENSE_REMOVED : CodeNumber(name);
}

// Why an activation code is refused. Any other reason is no answer.
constexpr const char* kReasons[] = {
    "BAD_CODE",        "UNKNOWN_CODE", "WRONG_TOOL", "CODE_EXPIRED", "CODE_SUSPENDED", "CODE_REVOKED",
    "MACHINE_BLOCKED", "SEATS_IN_USE", "OTHER_CODE", "MOVES_USED",   "OFFLINE_UNTIL",  "TRY_LATER",
};

const int kDefaultTimeoutMs = 5000, kMaxTimeoutMs = 3600 * 1000;
const size_t kMaxAnswerBytes = 64 * 1024;
const int kMaxRedirects = 5;
const size_t kMaxCodeLength = 255;
const size_t kMaxKids = 32;
// Of a license, in characters.
const size_t kMaxName = 50, kMaxData = 1024;
const size_t kMaxDigits = 15;  // of a number in a version
const int64_t kLastSecond = 253402300799;  // of the year 9999
// By how many seconds in all a clock may be set back until a lease ends.
const int64_t kClockAllowance = 24 * 3600;
// The minimum time between two background refreshes, and the maximum that an exiting program waits for one.
const ULONGLONG kRefreshPauseMs = 60 * 1000, kRefreshExitMs = 1000;
// How long an answer may take to be stored after the timeout.
const ULONGLONG kSaveMs = 1000;

// No verdict was received; carries one of the messages above and the reason to insert into it.
struct NoVerdict {
    const char* message;
    std::string why;
};

// The certificate of a server could not be verified.
struct BadCertificate : NoVerdict {};

// ---- Texts and bytes ----

std::wstring Wide(const std::string& utf8) {
    const int size = static_cast<int>(utf8.size());
    std::wstring wide(utf8.size(), L'\0');
    const int written = size ? MultiByteToWideChar(CP_UTF8, 0, utf8.data(), size, wide.data(), size) : 0;
    wide.resize(static_cast<size_t>(written));
    return wide;
}

std::string Utf8(std::wstring_view wide) {
    const int size = static_cast<int>(wide.size());
    std::string utf8(wide.size() * 3, '\0');
    const int written = size ? WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, utf8.data(),
                                                   static_cast<int>(utf8.size()), nullptr, nullptr)
                             : 0;
    utf8.resize(static_cast<size_t>(written));
    return utf8;
}

std::string Utf8OrEmpty(const wchar_t* wide) { return wide ? Utf8(wide) : std::string(); }

bool IsUtf8(const std::string& text) {
    const int size = static_cast<int>(text.size());
    return size == 0 || MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, nullptr, 0) > 0;
}

std::string Lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

std::string Stripped(const std::string& text, const char* what = " \t\r\n\v\f") {
    const size_t first = text.find_first_not_of(what);
    return first == text.npos ? "" : text.substr(first, text.find_last_not_of(what) - first + 1);
}

bool HasPrefix(const std::string& text, std::string_view prefix) { return text.compare(0, prefix.size(), prefix) == 0; }

bool HasSuffix(const std::string& text, std::string_view suffix) {
    return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::string Before(const std::string& text, const char* what) { return text.substr(0, text.find_first_of(what)); }

// Without slashes and a check's path at the end, which are often copied with the address.
std::string WithoutEnd(std::string address) {
    const auto strip = [&] { address.resize(address.find_last_not_of('/') + 1); };
    strip();
    if (HasSuffix(address, "/api/check")) address.resize(address.size() - std::strlen("/api/check"));
    strip();
    return address;
}

std::string Hex(const std::string& bytes, const char* separator = "") {
    std::string text;
    for (const char c : bytes) {
        char pair[3];
        std::snprintf(pair, sizeof pair, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        text += (text.empty() ? "" : separator) + std::string(pair);
    }
    return text;
}

constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToBase64Url(const std::string& bytes) {
    std::string text;
    unsigned bits = 0, count = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) text += kBase64Url[bits >> (count - 6) & 63];
    }
    if (count) text += kBase64Url[bits << (6 - count) & 63];
    return text;
}

// Nothing for anything but the canonical encoding: no padding (RFC 7515), and spare bits are zero.
std::optional<std::string> FromBase64Url(const std::string& text) {
    std::string bytes;
    unsigned bits = 0, count = 0;
    for (const char c : text) {
        const size_t digit = kBase64Url.find(c);
        if (digit == kBase64Url.npos) return std::nullopt;
        bits = bits << 6 | static_cast<unsigned>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xFF);
    }
    if (count >= 6 || (bits & ((1u << count) - 1)) != 0) return std::nullopt;
    return bytes;
}

// ---- JSON (RFC 8259) in UTF-8, without duplicate names ----

struct Json {
    enum Kind { kNull, kTrue, kFalse, kNumber, kText, kArray, kObject };
    Kind kind = kNull;
    std::string text;                // of a string, or a number as it is written
    std::vector<Json> items;         // of an array or an object
    std::vector<std::string> names;  // of an object's items

    const Json& operator[](const std::string& name) const {
        static const Json& kAbsent = *new Json{ kFalse, {}, {}, {} };
        const auto found = std::find(names.begin(), names.end(), name);
        return found == names.end() ? kAbsent : items[static_cast<size_t>(found - names.begin())];
    }

    bool Has(const std::string& name) const { return std::find(names.begin(), names.end(), name) != names.end(); }

    std::string Words() const { return kind == kText ? text : ""; }

    bool Is(const std::string& expected) const { return kind == kText && text == expected; }

    // A whole number from 0 to the last second of the year 9999.
    std::optional<int64_t> Integer() const {
        if (kind != kNumber || text.size() > 12 || text.find_first_not_of("0123456789") != text.npos)
            return std::nullopt;
        const int64_t number = std::stoll(text);
        return number <= kLastSecond ? std::optional<int64_t>(number) : std::nullopt;
    }
};

class JsonReader {
public:
    // Nothing unless the text is one JSON value.
    static std::optional<Json> Read(const std::string& text) {
        if (!IsUtf8(text)) return std::nullopt;
        try {
            JsonReader reader(text);
            Json value = reader.Value(0);
            reader.SkipSpace();
            return reader.at_ == text.size() ? std::optional<Json>(std::move(value)) : std::nullopt;
        } catch (const NotJson&) {
            return std::nullopt;
        }
    }

private:
    struct NotJson {};

    explicit JsonReader(const std::string& text) : text_(text) {}

    static void Require(bool good) {
        if (!good) throw NotJson();
    }

    char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool Take(std::string_view word) {
        if (text_.compare(at_, word.size(), word) != 0) return false;
        at_ += word.size();
        return true;
    }

    void SkipSpace() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

    bool Next(std::string_view word) {
        SkipSpace();
        return Take(word);
    }

    Json Value(int depth) {
        Require(depth <= 64);
        Json value;
        if (Next("{")) {
            value.kind = Json::kObject;
            List("}", [&] {
                Require(Next("\""));
                std::string name = Text();
                Require(std::find(value.names.begin(), value.names.end(), name) == value.names.end() && Next(":"));
                value.names.push_back(std::move(name));
                value.items.push_back(Value(depth + 1));
            });
        } else if (Take("[")) {
            value.kind = Json::kArray;
            List("]", [&] { value.items.push_back(Value(depth + 1)); });
        } else if (Take("\"")) {
            value.kind = Json::kText;
            value.text = Text();
        } else if (Take("true")) {
            value.kind = Json::kTrue;
        } else if (Take("false")) {
            value.kind = Json::kFalse;
        } else if (!Take("null")) {
            value.kind = Json::kNumber;
            value.text = Number();
        }
        return value;
    }

    template <typename Item>
    void List(std::string_view close, Item item) {
        if (Next(close)) return;
        do item();
        while (Next(","));
        Require(Next(close));
    }

    std::string Number() {
        const size_t start = at_;
        Take("-");
        if (!Take("0")) Digits();
        if (Take(".")) Digits();
        if (Take("e") || Take("E")) {
            if (!Take("-")) Take("+");
            Digits();
        }
        return text_.substr(start, at_ - start);
    }

    void Digits() {
        const size_t end = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
        Require(end > at_);
        at_ = end;
    }

    std::string Text() {
        std::string text;
        while (!Take("\"")) {
            Require(static_cast<unsigned char>(Peek()) >= 0x20);
            if (Take("\\")) text += Escape();
            else text += text_[at_++];
        }
        return text;
    }

    std::string Escape() {
        constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
        if (Take("u")) {
            std::wstring units(1, Unit());
            if (IS_HIGH_SURROGATE(units[0]) && Take("\\u")) units += Unit();
            return Utf8(units);  // half of a surrogate pair becomes U+FFFD
        }
        const size_t index = Peek() ? kFrom.find(Peek()) : kFrom.npos;
        Require(index != kFrom.npos);
        ++at_;
        return std::string(1, kTo[index]);
    }

    wchar_t Unit() {
        const std::string digits = text_.substr(at_, 4);
        Require(digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == digits.npos);
        at_ += 4;
        return static_cast<wchar_t>(std::stoul(digits, nullptr, 16));
    }

    const std::string& text_;
    size_t at_ = 0;
};

// Null if these bytes are not a JSON object.
Json JsonObject(const std::string& text) {
    std::optional<Json> value = JsonReader::Read(text);
    return value && value->kind == Json::kObject ? std::move(*value) : Json();
}

// Escapes only what must be: the names of stored files depend on it.
std::string Quoted(const std::string& text) {
    constexpr std::string_view kFrom = "\"\\\b\f\n\r\t", kTo = "\"\\bfnrt";
    std::string json = "\"";
    for (const char c : text) {
        char escape[7];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        const size_t index = kFrom.find(c);
        if (index != kFrom.npos) json += { '\\', kTo[index] };
        else if (static_cast<unsigned char>(c) < 0x20) json += escape;
        else json += c;
    }
    return json + '"';
}

std::string ToJson(const std::optional<std::string>& text) { return text ? Quoted(*text) : "null"; }

std::string ToJson(std::optional<int64_t> number) { return number ? std::to_string(*number) : "null"; }

// ---- Time ----

ULONGLONG Left(ULONGLONG deadline) {
    const ULONGLONG now = GetTickCount64();
    return deadline > now ? deadline - now : 0;
}

const int64_t kUnixEpoch = 116444736000000000, kFileTimeSecond = 10000000, kFileTimeDay = 86400 * kFileTimeSecond;

int64_t FromFileTime(const FILETIME& time) {
    return static_cast<int64_t>(static_cast<uint64_t>(time.dwHighDateTime) << 32 | time.dwLowDateTime);
}

int64_t UnixTime() {
    FILETIME time;
    GetSystemTimeAsFileTime(&time);
    return (FromFileTime(time) - kUnixEpoch) / kFileTimeSecond;
}

SYSTEMTIME ToSystemTime(int64_t unix_time) {
    const uint64_t ticks = static_cast<uint64_t>(unix_time * kFileTimeSecond + kUnixEpoch);
    const FILETIME time = { static_cast<DWORD>(ticks), static_cast<DWORD>(ticks >> 32) };
    SYSTEMTIME parts = {};
    FileTimeToSystemTime(&time, &parts);
    return parts;
}

std::string UtcText(int64_t unix_time) {
    const SYSTEMTIME t = ToSystemTime(unix_time);
    char text[48];
    std::snprintf(text, sizeof text, "%04u-%02u-%02u %02u:%02u:%02u UTC", t.wYear, t.wMonth, t.wDay, t.wHour, t.wMinute,
                  t.wSecond);
    return text;
}

// Days since 1601, or nothing if there is no such date.
std::optional<int64_t> DayNumber(WORD year, WORD month, WORD day) {
    SYSTEMTIME date = {};
    date.wYear = year;
    date.wMonth = month;
    date.wDay = day;
    FILETIME time;
    if (!SystemTimeToFileTime(&date, &time)) return std::nullopt;
    return FromFileTime(time) / kFileTimeDay;
}

// The same for YYYY-MM-DD.
std::optional<int64_t> DayNumber(const std::string& date) {
    if (date.size() != 10 || !std::regex_match(date, std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}"))) return std::nullopt;
    const auto number = [&](size_t at, size_t size) { return static_cast<WORD>(std::stoi(date.substr(at, size))); };
    return DayNumber(number(0, 4), number(5, 2), number(8, 2));
}

std::string DaysLeft(const std::string& date, int64_t now) {
    const std::optional<int64_t> last = DayNumber(date);
    SYSTEMTIME utc = ToSystemTime(now), local = utc;
    SystemTimeToTzSpecificLocalTime(nullptr, &utc, &local);
    const std::optional<int64_t> today = DayNumber(local.wYear, local.wMonth, local.wDay);
    return last && today ? std::to_string(std::max<int64_t>(*last - *today, 0)) : "";
}

// ---- Threads ----

struct Closer {
    void operator()(HANDLE handle) const { CloseHandle(handle); }
};
using Handle = std::unique_ptr<void, Closer>;

// Null for no handle of either kind.
Handle Owned(HANDLE handle) { return Handle(handle == INVALID_HANDLE_VALUE ? nullptr : handle); }

class Mutex {
public:
    template <typename Function>
    auto Locked(Function function) {
        struct Hold {
            explicit Hold(SRWLOCK& l) : lock(l) { AcquireSRWLockExclusive(&lock); }
            ~Hold() { ReleaseSRWLockExclusive(&lock); }
            SRWLOCK& lock;
        } hold(lock_);
        return function();
    }

private:
    SRWLOCK lock_ = SRWLOCK_INIT;
};

struct ThreadStart {
    std::function<void()> work;
    HMODULE module;
};

DWORD WINAPI RunThread(void* context) {
    const HMODULE module = static_cast<ThreadStart*>(context)->module;
    {
        const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(context));
        try {
            start->work();
        } catch (...) {
            // A refresh without an answer; the next start tries again.
        }
    }
    FreeLibraryAndExitThread(module, 0);
}

// A program may unload the DLL while an abandoned thread still waits for the network: each thread keeps it loaded.
Handle StartThread(std::function<void()> work) {
    std::unique_ptr<ThreadStart> start(new ThreadStart{ std::move(work), nullptr });
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, reinterpret_cast<LPCWSTR>(&RunThread),
                            &start->module))
        return nullptr;
    Handle thread = Owned(CreateThread(nullptr, 0, RunThread, start.get(), 0, nullptr));
    if (thread) start.release();
    else FreeLibrary(start->module);
    return thread;
}

// The function's result, if it has one in time. It runs in a thread of its own, because DNS, proxy detection and
// network drives know no time limit; an abandoned thread ends by itself, or with the program.
template <typename Function>
auto Within(ULONGLONG milliseconds, Function function) {
    using Result = decltype(function());
    struct Work {
        Function function;
        Handle done;
        std::optional<Result> result;
        std::exception_ptr error;
    };
    const std::shared_ptr<Work> work(
        new Work{ std::move(function), Owned(CreateEventW(nullptr, TRUE, FALSE, nullptr)), std::nullopt, nullptr });
    const Handle thread = StartThread([work] {
        try {
            work->result = work->function();
        } catch (...) {
            work->error = std::current_exception();
        }
        SetEvent(work->done.get());
    });
    if (!thread || WaitForSingleObject(work->done.get(), static_cast<DWORD>(milliseconds)) != WAIT_OBJECT_0)
        throw NoVerdict{ kNoAnswer, kInTime };
    if (work->error) std::rethrow_exception(work->error);
    return std::move(*work->result);
}

// ---- Cryptography ----

UCHAR* BytesOf(std::string& text) { return reinterpret_cast<UCHAR*>(text.data()); }

struct Algorithm {
    explicit Algorithm(const wchar_t* name) { BCryptOpenAlgorithmProvider(&handle, name, nullptr, 0); }
    ~Algorithm() {
        if (handle) BCryptCloseAlgorithmProvider(handle, 0);
    }
    Algorithm(const Algorithm&) = delete;
    Algorithm& operator=(const Algorithm&) = delete;
    BCRYPT_ALG_HANDLE handle = nullptr;
};

std::string Sha256(std::string text) {
    const Algorithm sha256(BCRYPT_SHA256_ALGORITHM);
    std::string digest(32, '\0');
    BCRYPT_HASH_HANDLE hash = nullptr;
    const bool good = BCryptCreateHash(sha256.handle, &hash, nullptr, 0, nullptr, 0, 0) == 0 &&
                      BCryptHashData(hash, BytesOf(text), static_cast<ULONG>(text.size()), 0) == 0 &&
                      BCryptFinishHash(hash, BytesOf(digest), 32, 0) == 0;
    if (hash) BCryptDestroyHash(hash);
    return good ? digest : throw NoVerdict{ kNoAnswer, "Windows cannot compute SHA-256" };
}

std::string NewNonce() {
    std::string bytes(24, '\0');
    if (BCryptGenRandom(nullptr, BytesOf(bytes), 24, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0)
        throw NoVerdict{ kNoAnswer, "Windows has no random numbers" };
    return ToBase64Url(bytes);
}

// A P-256 point. Importing it fails if it is not on the curve.
class PublicKey {
public:
    explicit PublicKey(const std::string& point) : ecdsa_(BCRYPT_ECDSA_P256_ALGORITHM) {
        const BCRYPT_ECCKEY_BLOB head = { BCRYPT_ECDSA_PUBLIC_P256_MAGIC, 32 };
        std::string blob(reinterpret_cast<const char*>(&head), sizeof head);
        blob += point;
        if (BCryptImportKeyPair(ecdsa_.handle, nullptr, BCRYPT_ECCPUBLIC_BLOB, &key_, BytesOf(blob),
                                static_cast<ULONG>(blob.size()), 0) != 0)
            key_ = nullptr;
    }
    ~PublicKey() {
        if (key_) BCryptDestroyKey(key_);
    }
    PublicKey(const PublicKey&) = delete;
    PublicKey& operator=(const PublicKey&) = delete;

    bool IsUsable() const { return key_ != nullptr; }

    bool HasSigned(const std::string& text, std::string signature) const {
        std::string digest = Sha256(text);
        return key_ && signature.size() == 64 &&
               BCryptVerifySignature(key_, nullptr, BytesOf(digest), 32, BytesOf(signature), 64, 0) == 0;
    }

private:
    const Algorithm ecdsa_;
    BCRYPT_KEY_HANDLE key_ = nullptr;
};

struct Keys {
    std::vector<std::pair<std::string, std::string>> points;  // by key ID
    std::string problem;                                      // empty if they can be used
};

Keys ParseKeys(const std::string& text) {
    static const char kSeparators[] = ",; \t\r\n";
    Keys keys;
    for (size_t at = 0, end; (at = text.find_first_not_of(kSeparators, at)) != text.npos; at = end) {
        end = std::min(text.find_first_of(kSeparators, at), text.size());
        const std::string key = text.substr(at, end - at);
        const size_t dot = std::min(key.find('.'), key.size());
        const std::string x = key.substr(0, dot), y = key.substr(std::min(dot + 1, key.size()));
        const std::optional<std::string> x_bytes = FromBase64Url(x), y_bytes = FromBase64Url(y);
        if (x.size() != 43 || y.size() != 43) return { {}, "one of them is not a public key" };
        if (!x_bytes || !y_bytes || !PublicKey(*x_bytes + *y_bytes).IsUsable())
            return { {}, "one of them was not copied correctly" };
        // RFC 7638
        const std::string jwk = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" + x + "\",\"y\":\"" + y + "\"}";
        keys.points.emplace_back(ToBase64Url(Sha256(jwk)).substr(0, 16), *x_bytes + *y_bytes);
    }
    if (keys.points.empty()) keys.problem = "the list is empty";
    return keys;
}

// ---- Addresses ----

struct Url {
    bool secure = false;
    std::string host;  // in lower case; an IPv6 address in brackets
    int port = 0;
    std::string path;  // with the query

    std::string Text() const {
        const bool is_default = port == (secure ? 443 : 80);
        return (secure ? "https://" : "http://") + host + (is_default ? "" : ":" + std::to_string(port)) + path;
    }

    bool IsLoopback() const {
        const bool is_ipv4 = HasPrefix(host, "127.") && host.find_first_not_of("0123456789.") == host.npos;
        return host == "localhost" || HasSuffix(host, ".localhost") || host == "[::1]" || is_ipv4;
    }
};

std::string HostInAscii(const std::string& host) {
    const std::wstring wide = Wide(host);
    wchar_t ascii[256];
    const int size = IdnToAscii(0, wide.data(), static_cast<int>(wide.size()), ascii, 256);
    return size > 0 ? Lower(Utf8({ ascii, static_cast<size_t>(size) })) : "";
}

std::string PercentEncoded(const std::string& path) {
    std::string encoded;
    for (const char c : path) {
        const bool is_safe = c > ' ' && c <= '~' && !std::strchr("\"<>\\^`{|}", c);
        encoded += is_safe ? std::string(1, c) : '%' + Hex(std::string(1, c));
    }
    return encoded;
}

// Nothing unless it is a web address without a user name. Not with std::regex, which a long text makes use up the
// stack.
std::optional<Url> ParseUrl(const std::string& text) {
    const std::string scheme = Lower(text.substr(0, text.find("://") + 3));
    if (scheme != "http://" && scheme != "https://") return std::nullopt;
    const size_t start = scheme.size(), end = std::min(text.find_first_of("/?#", start), text.size());
    const std::string authority = text.substr(start, end - start);
    const size_t bracket = authority.find(']'), colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
    const std::string host = authority.substr(0, colon);
    const std::string port = colon == authority.npos ? "" : authority.substr(colon + 1);
    const bool is_ipv6 = host.size() > 2 && host[0] == '[' && bracket == host.size() - 1 &&
                         host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == bracket;
    Url url;
    url.secure = scheme == "https://";
    url.host = is_ipv6 ? Lower(host) : HostInAscii(host);
    if (url.host.empty() ||
        (!is_ipv6 && url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") != host.npos))
        return std::nullopt;
    if (port.size() > 5 || port.find_first_not_of("0123456789") != port.npos) return std::nullopt;
    url.port = port.empty() ? (url.secure ? 443 : 80) : std::stoi(port);
    if (url.port < 1 || url.port > 65535) return std::nullopt;
    url.path = PercentEncoded(text.substr(end, text.find('#', end) - end));
    if (url.path.empty() || url.path[0] == '?') url.path.insert(0, "/");
    return url;
}

Url ApiUrl(const std::string& server, const char* path) {
    std::optional<Url> url = ParseUrl(Stripped(server));
    if (!url) throw NoVerdict{ kBadAddress, "not a web address" };
    url->path = WithoutEnd(Before(url->path, "?")) + path;
    return *url;
}

Url RedirectTarget(const Url& from, const std::string& location) {
    const bool is_absolute = location.find(':') < location.find_first_of("/?#");
    const std::string path = Before(from.path, "?");
    Url root = from;
    root.path.clear();
    std::optional<Url> target;
    if (is_absolute) target = ParseUrl(location);
    else if (HasPrefix(location, "//")) target = ParseUrl((from.secure ? "https:" : "http:") + location);
    else if (HasPrefix(location, "/")) target = ParseUrl(root.Text() + location);
    else if (HasPrefix(location, "?")) target = ParseUrl(root.Text() + path + location);
    else if (!location.empty()) target = ParseUrl(root.Text() + path.substr(0, path.rfind('/') + 1) + location);
    if (!target) throw NoVerdict{ kNoResult, "redirect to a malformed address" };
    return *target;
}

// The same host and port, or the secure port of the same host instead of the plain one.
bool IsSameServer(const Url& configured, const Url& url) {
    const bool is_upgrade = configured.port == 80 && url.port == 443 && url.secure;
    return configured.host == url.host && (configured.port == url.port || is_upgrade);
}

std::string DisplayAddress(const std::string& server) {
    std::string text = Stripped(server);
    const size_t slashes = text.find("//"), at = text.rfind('@');
    if (at != text.npos && slashes < at) text.erase(slashes + 2, at - slashes - 1);
    text = Utf8(Wide(Before(text, "?#")).substr(0, 200));
    // The word "invalid" is reserved for verdicts, but an address may contain it.
    return Lower(text).find("invalid") == text.npos ? text : "its address";
}

// ---- One HTTP exchange ----

struct Reply {
    int status;
    std::string location;  // of a redirect
    std::string body;
};

bool IsRedirect(int status) { return (status >= 301 && status <= 303) || status == 307 || status == 308; }

// What WinHTTP reports only while it works.
struct Seen {
    DWORD certificate = 0;  // WINHTTP_CALLBACK_STATUS_FLAG_...
    std::wstring host;      // whose address was looked up: the server, or its proxy
};

void CALLBACK Watch(HINTERNET, DWORD_PTR context, DWORD status, void* information, DWORD) {
    Seen* const seen = reinterpret_cast<Seen*>(context);
    if (!seen || !information) return;
    if (status == WINHTTP_CALLBACK_STATUS_SECURE_FAILURE) seen->certificate |= *static_cast<DWORD*>(information);
    if (status == WINHTTP_CALLBACK_STATUS_RESOLVING_NAME) seen->host = static_cast<const wchar_t*>(information);
}

struct HttpCloser {
    void operator()(HINTERNET handle) const { WinHttpCloseHandle(handle); }
};
using HttpHandle = std::unique_ptr<void, HttpCloser>;

// Null if the certificate itself is not at fault, or is revoked.
const char* CertificateProblem(DWORD error, DWORD flags) {
    const DWORD fatal = WINHTTP_CALLBACK_STATUS_FLAG_CERT_REVOKED | WINHTTP_CALLBACK_STATUS_FLAG_SECURITY_CHANNEL_ERROR;
    if (flags & fatal) return nullptr;
    if (error == ERROR_WINHTTP_SECURE_INVALID_CA || flags & WINHTTP_CALLBACK_STATUS_FLAG_INVALID_CA) return kBadIssuer;
    if (error == ERROR_WINHTTP_SECURE_CERT_CN_INVALID || flags & WINHTTP_CALLBACK_STATUS_FLAG_CERT_CN_INVALID)
        return kBadHost;
    if (error == ERROR_WINHTTP_SECURE_CERT_DATE_INVALID || flags & WINHTTP_CALLBACK_STATUS_FLAG_CERT_DATE_INVALID)
        return kBadDate;
    return nullptr;
}

std::string Reason(DWORD error) {
    switch (error) {
        case ERROR_WINHTTP_TIMEOUT: return kInTime;
        case ERROR_WINHTTP_NAME_NOT_RESOLVED: return "the host name was not found";
        case ERROR_WINHTTP_CANNOT_CONNECT: return "no connection";
        case ERROR_WINHTTP_SECURE_FAILURE: return "no secure connection";
        default: return "no connection, error " + std::to_string(error);
    }
}

class Exchange {
public:
    Exchange(const Url& url, bool verify, ULONGLONG deadline) : url_(url), verify_(verify), deadline_(deadline) {}

    Reply Post(std::string body) {
        Open();
        const DWORD size = static_cast<DWORD>(body.size());
        // The sign-in at a proxy may need the request again.
        for (int tries = 0; tries < 3; ++tries) {
            Require(WinHttpSendRequest(request_.get(), L"Content-Type: application/json", static_cast<DWORD>(-1),
                                       body.data(), size, size, reinterpret_cast<DWORD_PTR>(&seen_)));
            if (WinHttpReceiveResponse(request_.get(), nullptr)) break;
            Require(GetLastError() == ERROR_WINHTTP_RESEND_REQUEST);
        }
        Reply reply = { Status(), "", "" };
        if (IsRedirect(reply.status)) reply.location = Location();
        else reply.body = Body();
        return reply;
    }

private:
    void Open() {
        // WinHTTP's own threads may outlive the last request; it must not be unloaded together with this DLL.
        HMODULE winhttp = nullptr;
        GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, L"winhttp.dll", &winhttp);
        const std::wstring host = Wide(url_.host), path = Wide(url_.path);
        // To a proxy, "localhost" is the proxy itself.
        const DWORD access = url_.IsLoopback() ? WINHTTP_ACCESS_TYPE_NO_PROXY : WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY;
        session_.reset(WinHttpOpen((L"licenseclient.cpp/" + Wide(kVersion)).c_str(), access, nullptr, nullptr, 0));
        Require(session_ != nullptr);
        WinHttpSetStatusCallback(session_.get(), Watch,
                                 WINHTTP_CALLBACK_FLAG_SECURE_FAILURE | WINHTTP_CALLBACK_FLAG_RESOLVE_NAME, 0);
        const int left = static_cast<int>(std::max<ULONGLONG>(Left(deadline_), 1));
        Require(WinHttpSetTimeouts(session_.get(), left, left, left, left));
        Set(session_, WINHTTP_OPTION_IPV6_FAST_FALLBACK, TRUE);
        connection_.reset(WinHttpConnect(session_.get(), host.c_str(), static_cast<INTERNET_PORT>(url_.port), 0));
        Require(connection_ != nullptr);
        request_.reset(WinHttpOpenRequest(connection_.get(), L"POST", path.c_str(), nullptr, nullptr, nullptr,
                                          WINHTTP_FLAG_ESCAPE_DISABLE | (url_.secure ? WINHTTP_FLAG_SECURE : 0)));
        Require(request_ != nullptr);
        Set(request_, WINHTTP_OPTION_DISABLE_FEATURE, WINHTTP_DISABLE_REDIRECTS | WINHTTP_DISABLE_COOKIES);
        Set(request_, WINHTTP_OPTION_RECEIVE_RESPONSE_TIMEOUT, static_cast<DWORD>(left));
        // Proxies of companies want the user's Windows sign-in; no server gets it.
        Set(request_, WINHTTP_OPTION_AUTOLOGON_POLICY, WINHTTP_AUTOLOGON_SECURITY_LEVEL_PROXY_ONLY);
        if (!verify_) {
            Set(request_, WINHTTP_OPTION_SECURITY_FLAGS,
                SECURITY_FLAG_IGNORE_UNKNOWN_CA | SECURITY_FLAG_IGNORE_CERT_DATE_INVALID |
                    SECURITY_FLAG_IGNORE_CERT_CN_INVALID | SECURITY_FLAG_IGNORE_CERT_WRONG_USAGE);
        }
    }

    static void Set(const HttpHandle& handle, DWORD option, DWORD value) {
        WinHttpSetOption(handle.get(), option, &value, sizeof value);
    }

    void Require(bool good) const {
        if (good) return;
        const DWORD error = GetLastError();
        const char* const problem = CertificateProblem(error, seen_.certificate);
        if (url_.secure && verify_ && problem) throw BadCertificate{ { kNoAnswer, problem } };
        if (error == ERROR_WINHTTP_INVALID_SERVER_RESPONSE) throw NoVerdict{ kNoResult, "not an HTTP response" };
        const std::string host = Utf8(seen_.host);
        const bool is_proxy = !host.empty() && Lower(Stripped(host, "[]")) != Stripped(url_.host, "[]");
        throw NoVerdict{ kNoAnswer, (is_proxy ? "the proxy " + host + " of this network: " : "") + Reason(error) };
    }

    int Status() {
        DWORD status = 0, size = sizeof status;
        Require(WinHttpQueryHeaders(request_.get(), WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER, nullptr,
                                    &status, &size, nullptr));
        return static_cast<int>(status);
    }

    std::string Location() {
        std::wstring text(8 * 1024, L'\0');
        DWORD size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
        const bool is_there =
            WinHttpQueryHeaders(request_.get(), WINHTTP_QUERY_LOCATION, nullptr, text.data(), &size, nullptr);
        return is_there ? Utf8(text.substr(0, size / sizeof(wchar_t))) : "";
    }

    std::string Body() {
        std::string body;
        while (body.size() <= kMaxAnswerBytes && Left(deadline_) > 0) {
            char piece[8 * 1024];
            DWORD size = 0;
            Require(WinHttpReadData(request_.get(), piece, sizeof piece, &size));
            if (size == 0) return body;
            body.append(piece, size);
        }
        throw NoVerdict{ kNoResult, "the answer is too long" };
    }

    const Url url_;
    const bool verify_;
    const ULONGLONG deadline_;
    Seen seen_;
    HttpHandle session_, connection_, request_;
};

// ---- The signed answer ----

struct Claims {
    std::string code, message, expiration_date;
    int64_t iat, exp;
    Json all;

    bool IsGood() const { return CodeNumber(code) > 0; }
};

Json MembersOf(const Reply& reply) {
    const bool has_mark = HasPrefix(reply.body, "\xEF\xBB\xBF");
    if (reply.body.size() > kMaxAnswerBytes) throw NoVerdict{ kNoResult, "the answer is too long" };
    return JsonObject(has_mark ? reply.body.substr(3) : reply.body);
}

NoVerdict NoResult(int status, const char* details) {
    if (status == HTTP_STATUS_PROXY_AUTH_REQ) return { kNoAnswer, kProxySignIn };
    return { kNoResult, "HTTP " + std::to_string(status) + details };
}

// The status and the other fields are not signed, so they are ignored.
std::string TokenOf(const Reply& reply) {
    const Json answer = MembersOf(reply);
    if (answer["token"].kind == Json::kText) return answer["token"].text;
    throw NoResult(reply.status, " without a signed answer");
}

// Why an activation code was refused, or nothing. It is not signed, so no lease is erased because of it.
std::string ReasonIn(const Json& answer) {
    const bool is_refusal = answer["status"].Is("error") && !answer.Has("token");
    for (const char* const reason : kReasons)
        if (is_refusal && answer["reason"].Is(reason)) return reason;
    return "";
}

// The claims of a token, after its signature and, next, the expected claims have been verified.
Claims Verified(const std::string& token, const Keys& keys,
                const std::vector<std::pair<const char*, std::string>>& expected) {
    const size_t first = std::min(token.find('.'), token.size()), last = token.rfind('.');
    if (first >= last || last == token.npos) throw NoVerdict{ kNoResult, "the signed answer is damaged" };
    const auto header_bytes = FromBase64Url(token.substr(0, first));
    const auto payload = FromBase64Url(token.substr(first + 1, last - first - 1));
    const auto signature = FromBase64Url(token.substr(last + 1));
    if (!header_bytes || !payload || !signature) throw NoVerdict{ kNoResult, "the signed answer is damaged" };

    const Json header = JsonObject(*header_bytes);
    if (header.names.size() != 3 || !header["alg"].Is("ES256") || !header["typ"].Is("license+jwt") ||
        header["kid"].kind != Json::kText)
        throw NoVerdict{ kNoResult, "signed with another algorithm" };
    const auto key = std::find_if(keys.points.begin(), keys.points.end(),
                                  [&](const auto& pinned) { return pinned.first == header["kid"].text; });
    if (key == keys.points.end()) throw NoVerdict{ kNoResult, "signed with a key that this program does not know" };
    if (!PublicKey(key->second).HasSigned(token.substr(0, last), *signature))
        throw NoVerdict{ kNoResult, "the signature is wrong" };

    Json claims = JsonObject(*payload);
    if (claims.kind != Json::kObject) throw NoVerdict{ kNoResult, "the signed answer is unreadable" };
    for (const auto& [name, value] : expected)
        if (!claims[name].Is(value)) throw NoVerdict{ kNoResult, std::string("the answer to another check: ") + name };
    const auto iat = claims["iat"].Integer(), exp = claims["exp"].Integer();
    if (CodeNumber(claims["code"].text) == LICENSE_NO_ANSWER || !claims["http"].Integer() || !iat || !exp ||
        *exp <= *iat)
        throw NoVerdict{ kNoResult, "a signed answer that this program does not understand" };
    // These two are displayed and decide nothing.
    const std::string message = claims["message"].Words();
    const std::string date = DayNumber(claims["expiration_date"].text) ? claims["expiration_date"].text : "";
    const std::string code = claims["code"].text;
    return { code, message, date, *iat, *exp, std::move(claims) };
}

// The signed answer in a file or a text, which a mail may have wrapped and quoted; or "". Not with std::regex, which a
// long text makes use up the stack.
std::string TokenIn(const std::string& text) {
    std::string joined;
    for (const wchar_t c : Wide(text.substr(0, 4 * kMaxAnswerBytes)).substr(0, 2 * kMaxAnswerBytes))
        if (!std::wcschr(L" \t\r\n\v\f>\u00a0\u200b\ufeff", c)) joined += c < 0x80 ? static_cast<char>(c) : '#';
    const auto end_of = [&](size_t at) { return std::min(joined.find_first_not_of(kBase64Url, at), joined.size()); };
    const auto is_dot = [&](size_t at) { return at < joined.size() && joined[at] == '.'; };
    // Where the text also quotes the request, only the answer has a header.
    for (size_t at = 0; (at = joined.find("eyJhbGciOi", at)) != joined.npos; ++at) {
        const size_t dot = end_of(at);
        if (!is_dot(dot) || dot - at > 210) continue;
        const size_t second = end_of(dot + 1), signature = second + 1;
        if (second > dot + 1 && is_dot(second) && end_of(signature) - signature >= 86)
            return joined.substr(at, signature + 86 - at);
    }
    return "";
}

// ---- What a license grants ----

// The text, or nothing if it is something else, empty or too long.
std::string ShortText(const Json& value, size_t limit) {
    const auto is_first = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    const auto size = static_cast<size_t>(std::count_if(value.text.begin(), value.text.end(), is_first));
    return value.kind == Json::kText && size <= limit ? value.text : "";
}

std::vector<std::string> Features(const Json& claims) {
    std::vector<std::string> names;
    const Json& list = claims["features"];
    if (list.kind == Json::kArray)
        for (const Json& item : list.items) names.push_back(ShortText(item, kMaxName));
    const bool is_usable = std::find(names.begin(), names.end(), std::string()) == names.end();
    return is_usable ? names : std::vector<std::string>();
}

// One of the vendor's texts about the license or the tool, or nothing.
std::string Granted(const Json& claims, const std::string& name) {
    if (name == "edition") return ShortText(claims[name], kMaxName);
    if (name == "data") return ShortText(claims[name], kMaxData);
    const std::string text = ShortText(claims[name], kMaxAnswerBytes);
    if (name == "latest_version" || name == "minimum_version") return text;
    if (name == "updates_until") return DayNumber(text) ? text : "";
    if (name != "latest_url") return "";
    // Programs open it, so it must not be the name of a file or of another program.
    for (const std::string_view scheme : { "https://", "http://" })
        if (HasPrefix(text, scheme) && text.size() > scheme.size() && text[scheme.size()] != '/') return text;
    return "";
}

bool Covers(const Json& claims, const std::string& build_date) {
    const std::optional<int64_t> last = DayNumber(Granted(claims, "updates_until")), built = DayNumber(build_date);
    return !last || (built && *built <= *last);
}

// A number or a word; a number comes before a word.
using VersionItem = std::tuple<bool, int64_t, std::string>;

struct Version {
    std::vector<VersionItem> numbers;
    bool is_release;
    std::vector<VersionItem> words;  // of a pre-release

    bool operator<(const Version& other) const {
        return std::tie(numbers, is_release, words) < std::tie(other.numbers, other.is_release, other.words);
    }
};

// The runs of digits and of letters in a text, with the separators left out; nothing if a number is too long.
std::optional<std::vector<VersionItem>> VersionItems(const std::string& text) {
    constexpr std::string_view kDigits = "0123456789", kLetters = "abcdefghijklmnopqrstuvwxyz";
    std::vector<VersionItem> items;
    for (size_t at = 0, end; at < text.size(); at = end) {
        const bool is_digit = kDigits.find(text[at]) != kDigits.npos;
        const bool is_letter = kLetters.find(text[at]) != kLetters.npos;
        end = std::min(text.find_first_not_of(is_digit ? kDigits : kLetters, at), text.size());
        if (!is_digit && !is_letter) end = at + 1;
        const std::string run = text.substr(at, end - at);
        if (is_digit && run.size() > kMaxDigits) return std::nullopt;
        if (is_digit) items.emplace_back(false, std::stoll(run), "");
        else if (is_letter) items.emplace_back(true, 0, run);
    }
    return items;
}

std::optional<Version> ParseVersion(const std::string& text) {
    std::string rest = Lower(Stripped(text, " \t\r\n"));
    if (HasPrefix(rest, "v")) rest.erase(0, 1);
    const size_t plus = std::min(rest.find('+'), rest.size());
    const size_t hyphen = std::min(rest.find('-'), plus);
    const std::string numeric = rest.substr(0, hyphen), pre = rest.substr(hyphen, plus - hyphen);
    const char kAllowed[] = "0123456789abcdefghijklmnopqrstuvwxyz.-";
    const bool has_dots_between = !numeric.empty() && numeric.find_first_not_of("0123456789.") == numeric.npos &&
                                  numeric.find("..") == numeric.npos && numeric.front() != '.' && numeric.back() != '.';
    const auto numbers = VersionItems(numeric), words = VersionItems(pre);
    const bool is_whole = pre.find_first_not_of(kAllowed) == pre.npos &&
                          rest.find_first_not_of(kAllowed, std::min(plus + 1, rest.size())) == rest.npos;
    if (!has_dots_between || !is_whole || !numbers || !words || (!pre.empty() && words->empty())) return std::nullopt;
    Version version = { *numbers, pre.empty(), *words };
    while (!version.numbers.empty() && std::get<1>(version.numbers.back()) == 0) version.numbers.pop_back();
    return version;
}

bool IsOlder(const std::string& version, const std::string& than) {
    const std::optional<Version> one = ParseVersion(version), other = ParseVersion(than);
    return one && other && *one < *other;
}

// ---- The stored state, which the Python, C# and JavaScript clients share ----

struct State {
    std::string license_key;
    std::optional<std::string> token;  // the lease; nothing after a refusal
    std::optional<int64_t> good_iat;   // of the newest good answer
    int64_t mark;                      // the time that a later start must not precede
    int64_t allowance;                 // seconds by which later starts may precede it in all
    std::optional<int64_t> uptime;     // that of the computer when the mark was set

    bool operator==(const State& other) const { return Text() == other.Text(); }

    std::string Text() const {
        return "{\"license_key\": " + Quoted(license_key) + ", \"token\": " + ToJson(token) +
               ", \"good_iat\": " + ToJson(good_iat) + ", \"mark\": " + std::to_string(mark) +
               ", \"allowance\": " + std::to_string(allowance) + ", \"uptime\": " + ToJson(uptime) + "}";
    }

    bool HasClockEnded() const { return !token && allowance == 0; }

    // A clock that is set back gains no more than the allowance.
    void MoveMark(int64_t now, std::optional<int64_t> up) {
        // At least this much time has passed since then: all of the uptime if the computer was restarted.
        const int64_t elapsed = !up || !uptime ? 0 : *up >= *uptime ? *up - *uptime : *up;
        const int64_t missing = std::max<int64_t>(mark + elapsed - now, 0);
        if (missing == 1) return;  // two clocks, each rounded to seconds
        uptime = up;
        if (missing > allowance) {
            token.reset();
            allowance = 0;
        } else {
            allowance -= missing;
            mark = now;
        }
    }
};

std::optional<State> ParseState(const std::string& text) {
    const Json json = JsonObject(text);
    const Json &key = json["license_key"], &token = json["token"], &good_iat = json["good_iat"],
               &uptime = json["uptime"];
    const auto mark = json["mark"].Integer(), allowance = json["allowance"].Integer();
    const auto is_number_or_null = [](const Json& value) { return value.kind == Json::kNull || value.Integer(); };
    const bool is_state = key.kind == Json::kText && (token.kind == Json::kText || token.kind == Json::kNull) &&
                          is_number_or_null(good_iat) && mark && allowance && is_number_or_null(uptime);
    if (!is_state) return std::nullopt;
    return State{ key.text,
                  token.kind == Json::kText ? std::optional<std::string>(token.text) : std::nullopt,
                  good_iat.Integer(),
                  *mark,
                  std::min(*allowance, kClockAllowance),
                  uptime.Integer() };
}

// On Windows, a file cannot be opened or replaced while another process replaces it.
template <typename Function>
auto Retried(Function function) {
    for (int tries = 1;; ++tries) {
        auto result = function();
        const DWORD error = GetLastError();
        if (result || tries == 5 || (error != ERROR_SHARING_VIOLATION && error != ERROR_ACCESS_DENIED)) return result;
        Sleep(10);
    }
}

Handle OpenShared(const std::wstring& path, DWORD access, DWORD disposition) {
    return Owned(CreateFileW(path.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                             disposition, FILE_ATTRIBUTE_NORMAL, nullptr));
}

std::string ReadFileText(const std::wstring& path) {
    const Handle file = Retried([&] { return OpenShared(path, GENERIC_READ, OPEN_EXISTING); });
    std::string text(2 * kMaxAnswerBytes, '\0');
    DWORD size = 0;
    const bool good = file && GetFileType(file.get()) == FILE_TYPE_DISK &&
                      ReadFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &size, nullptr);
    text.resize(good ? size : 0);
    return text;
}

bool WriteFileText(const Handle& file, const std::string& text, bool durably) {
    DWORD size = 0;
    return file && WriteFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &size, nullptr) &&
           size == text.size() && SetEndOfFile(file.get()) && (!durably || FlushFileBuffers(file.get()));
}

// The lock that this user's processes share, or nothing after a second: files are replaced atomically anyway.
Handle LockFolder(const std::wstring& folder) {
    Handle file = OpenShared(folder + L"\\lock", GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS);
    const ULONGLONG deadline = GetTickCount64() + kSaveMs;
    OVERLAPPED start = {};
    const DWORD flags = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    while (file && !LockFileEx(file.get(), flags, 0, 1, 0, &start) && Left(deadline) > 0) Sleep(10);
    return file;
}

std::string ShortHash(const std::string& text) { return Hex(Sha256(text).substr(0, 8)); }

// Small files of one server and tool, one for each machine ID. An unreadable file counts as absent, and errors of
// writing are ignored.
class Store {
public:
    Store() = default;

    Store(const std::wstring& folder, const std::string& server, const std::string& tool)
        : folder_(folder), name_(ShortHash("[" + Quoted(WithoutEnd(Stripped(server))) + "," + Quoted(tool) + "]")) {}

    std::wstring Path(const std::string& license_key) const {
        return folder_ + L"\\" + Wide(name_ + "-" + ShortHash(license_key) + ".json");
    }

    std::optional<State> Read(const std::string& license_key) const {
        return folder_.empty() ? std::nullopt : ReadPath(Path(license_key));
    }

    std::vector<State> ReadAll() const {
        std::vector<State> states;
        WIN32_FIND_DATAW found;
        const std::wstring pattern = folder_ + L"\\" + Wide(name_) + L"-*.json";
        const HANDLE search = folder_.empty() ? INVALID_HANDLE_VALUE : FindFirstFileW(pattern.c_str(), &found);
        if (search == INVALID_HANDLE_VALUE) return states;
        do {
            const std::optional<State> state = ReadPath(folder_ + L"\\" + found.cFileName);
            if (state) states.push_back(*state);
        } while (FindNextFileW(search, &found));
        FindClose(search);
        return states;
    }

    // The state after what a start changes has been stored.
    State Start(State state, const std::function<int64_t()>& now,
                const std::function<std::optional<int64_t>()>& uptime) const {
        if (!state.token) return state;
        const Handle lock = LockFolder(folder_);
        const State stored = Read(state.license_key).value_or(state);  // a refusal may have arrived meanwhile
        state = stored;
        // Read only now: an uptime before that of a process that was faster would look like a restart.
        if (state.token) state.MoveMark(now(), uptime());
        if (!(state == stored)) Write(state, false);
        return state;
    }

    // Stores an answer; `before` was stored when the request was sent.
    void Save(State state, const std::optional<State>& before) const {
        if (folder_.empty()) return;
        CreateDirectoryW(folder_.c_str(), nullptr);
        const Handle lock = LockFolder(folder_);
        const std::optional<State> now = Read(state.license_key);
        if (!state.token) {
            const std::optional<State>& known = now ? now : before;
            if (known) state.good_iat = known->good_iat;
        } else if (now && !(before && *now == *before) &&
                   *state.good_iat <= (now->token ? now->good_iat.value_or(0) : now->mark)) {
            return;  // Another process has stored a newer answer meanwhile. A refusal always counts.
        }
        if (!Write(state, true) && !state.token) Erase(state);
    }

    std::wstring RequestPath(const std::string& license_key) const {
        const std::wstring path = Path(license_key);
        return path.substr(0, path.rfind(L'.')) + L".request";
    }

    // The nonce of the request that waits for an offline file, or nothing.
    std::string ReadRequest(const std::string& license_key) const {
        if (folder_.empty()) return "";
        const Json request = JsonObject(ReadFileText(RequestPath(license_key)));
        const std::string& nonce = request["nonce"].text;
        const bool is_nonce = request["nonce"].kind == Json::kText && nonce.size() >= 16 && nonce.size() <= 64 &&
                              nonce.find_first_not_of(kBase64Url) == nonce.npos;
        return is_nonce && request["license_key"].Is(license_key) ? nonce : "";
    }

    // The same, with a new request if there is none.
    std::string OpenRequest(const std::string& license_key, const std::function<std::string()>& new_nonce) const {
        if (folder_.empty()) return "";
        CreateDirectoryW(folder_.c_str(), nullptr);
        const Handle lock = LockFolder(folder_);
        if (ReadRequest(license_key).empty())
            Replace(RequestPath(license_key),
                    "{\"license_key\": " + Quoted(license_key) + ", \"nonce\": " + Quoted(new_nonce()) + "}", true);
        return ReadRequest(license_key);
    }

    void CloseRequest(const std::string& license_key) const { DeleteFileW(RequestPath(license_key).c_str()); }

private:
    std::optional<State> ReadPath(const std::wstring& path) const {
        std::optional<State> state = ParseState(ReadFileText(path));
        const bool is_renamed = state && Lower(Utf8(path)) != Lower(Utf8(Path(state->license_key)));
        return is_renamed ? std::nullopt : state;
    }

    bool Write(const State& state, bool durably) const {
        return Replace(Path(state.license_key), state.Text(), durably);
    }

    static bool Replace(const std::wstring& path, const std::string& text, bool durably) {
        const std::wstring draft = path + L"." + Wide(NewNonce());
        Handle file = OpenShared(draft, GENERIC_WRITE, CREATE_NEW);
        bool good = WriteFileText(file, text, durably);
        file.reset();
        const DWORD flags = MOVEFILE_REPLACE_EXISTING | (durably ? MOVEFILE_WRITE_THROUGH : 0);
        good = good && Retried([&] { return MoveFileExW(draft.c_str(), path.c_str(), flags) != FALSE; });
        if (!good) DeleteFileW(draft.c_str());
        return good;
    }

    // The folder cannot be written, or the disk is full.
    void Erase(const State& state) const {
        const std::wstring path = Path(state.license_key);
        Handle file = Retried([&] { return OpenShared(path, GENERIC_WRITE, OPEN_EXISTING); });
        const bool good = WriteFileText(file, state.Text(), true);
        file.reset();
        if (!good) DeleteFileW(path.c_str());
    }

    std::wstring folder_;
    std::string name_;
};

std::wstring StateFolder() {
    const wchar_t kName[] = L"\\license-client";
    wchar_t variable[MAX_PATH];
    const DWORD size = GetEnvironmentVariableW(L"LOCALAPPDATA", variable, MAX_PATH);
    if (size > 0 && size < MAX_PATH) return std::wstring(variable) + kName;
    const int id = CSIDL_LOCAL_APPDATA | CSIDL_FLAG_DONT_VERIFY;
    return SHGetFolderPathW(nullptr, id, nullptr, SHGFP_TYPE_CURRENT, variable) == S_OK ? variable + std::wstring(kName)
                                                                                        : L"";
}

// ---- The machine ID ----

struct Machine {
    std::string earlier;               // what version 1.1.0 of the other clients would have chosen
    std::string preferred;             // what this version chooses
    std::vector<std::string> present;  // all that are in the machine

    const std::string& Id() const { return preferred.empty() ? earlier : preferred; }
};

// How permanent an adapter is, best first. Whether it is connected does not matter, or the ID would change whenever
// Wi-Fi is turned off.
enum Rank { kWired, kWireless, kRemovable, kEmulated, kVirtual };

struct Adapter {
    std::string mac;
    Rank earlier_rank, rank;
};

const char kMulticast = 1, kLocal = 2;  // bits in the first byte of an address

// Vendors of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters (Cisco, Fortinet,
// OpenVPN), some of which give every computer the same address.
bool IsOfSoftware(const std::string& mac) {
    constexpr std::string_view kVendors[] = { "000569", "000c29", "001c14", "005056", "0003ff", "00155d",
                                              "080027", "001c42", "00163e", "00059a", "00090f", "00ff" };
    return std::any_of(std::begin(kVendors), std::end(kVendors),
                       [hex = Hex(mac)](std::string_view vendor) { return HasPrefix(hex, vendor); });
}

// Whether many computers have this address.
bool IsPlaceholder(const std::string& mac) {
    // All bytes equal, or an example such as 00:11:22:33:44:55, 00:01:02:03:04:05 or 12:34:56:78:9a:bc.
    bool is_sequence = true;
    for (size_t i = 2; i < mac.size(); ++i)
        is_sequence = is_sequence && static_cast<char>(mac[i] - mac[i - 1]) == static_cast<char>(mac[1] - mac[0]);
    const bool has_no_serial_number = mac.compare(3, 3, std::string(3, '\0')) == 0;
    // Network chips without an address, and those of Realtek and Allwinner.
    const std::string hex = Hex(mac);
    return is_sequence || has_no_serial_number || hex == "000000000001" || hex == "00e04c000001" ||
           hex == "888888888788";
}

// The hardware address of the adapter that is hardest to remove, or else the system's ID. Software makes up the
// addresses of virtual adapters and locally administered ones, and changes them; they are used only if there is nothing
// better.
std::string Choose(const std::vector<Adapter>& adapters, const std::string& system_id, bool earlier) {
    std::tuple<int, int, std::string> best(kLocal, kVirtual, "");
    for (const Adapter& adapter : adapters) {
        const int rank = earlier ? adapter.earlier_rank : adapter.rank, made_up = earlier ? kEmulated : kVirtual;
        const std::tuple<int, int, std::string> key(
            adapter.mac[0] & kLocal, IsOfSoftware(adapter.mac) ? std::max(rank, made_up) : rank, Hex(adapter.mac, ":"));
        if (std::get<2>(best).empty() || key < best) best = key;
    }
    const auto& [is_local, rank, mac] = best;
    return !mac.empty() && rank < kVirtual && !is_local ? mac : system_id.empty() ? mac : system_id;
}

// Unless it is there.
void Append(std::vector<std::string>& ids, const std::string& id) {
    if (!id.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

Machine MachineOf(std::vector<Adapter> adapters, const std::string& system_id) {
    const auto drop = [&](auto condition) {
        adapters.erase(std::remove_if(adapters.begin(), adapters.end(), condition), adapters.end());
    };
    drop([](const Adapter& a) { return a.mac.size() != 6 || a.mac == std::string(6, '\0') || a.mac[0] & kMulticast; });
    Machine machine;
    machine.earlier = Choose(adapters, system_id, true);
    drop([](const Adapter& a) { return IsPlaceholder(a.mac); });
    machine.preferred = Choose(adapters, system_id, false);
    for (const Adapter& adapter : adapters) Append(machine.present, Hex(adapter.mac, ":"));
    Append(machine.present, system_id);
    return machine;
}

bool Matches(const std::string& text, const char* pattern) {
    return std::regex_search(text, std::regex(pattern, std::regex::icase));
}

// `device` is the ID of the adapter's device, such as PCI\VEN_8086&...; `parents` are the IDs and descriptions of the
// devices that it is plugged into.
Adapter AdapterOf(const std::string& mac, const std::string& description, bool is_wifi, bool is_hardware,
                  const std::string& device, const std::string& parents) {
    const Rank built_in = is_wifi ? kWireless : kWired;
    const char kVirtualNames[] =
        R"(virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor)";
    const char kRemovableNames[] =
        R"(usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile)";
    const Rank by_name = !is_hardware || Matches(description, kVirtualNames) ? kVirtual
                         : Matches(description, kRemovableNames)             ? kRemovable
                                                                             : built_in;
    const Rank by_bus = device.empty()                                                           ? by_name
                        : !is_hardware || Matches(device, R"(^((ROOT|SWD|BTH|VMBUS)(\\|$)|\{))") ? kVirtual
                        : Matches(device, R"(^(USB|USB4|PCMCIA)(\\|$))") || Matches(parents, "thunderbolt|usb4")
                            ? kRemovable
                            : built_in;
    return { mac, by_name, by_bus };
}

std::string RegistryText(const std::wstring& path, const wchar_t* name) {
    wchar_t text[512] = L"";
    DWORD size = sizeof text;
    // A 32-bit program would otherwise see another part of the registry, which does not have these values.
    const DWORD flags = RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY;
    const LSTATUS result = RegGetValueW(HKEY_LOCAL_MACHINE, path.c_str(), name, flags, nullptr, text, &size);
    return result == ERROR_SUCCESS ? Utf8(text) : "";
}

std::string DeviceParents(const std::string& device) {
    std::wstring id = Wide(device);
    std::string parents;
    DEVINST node = 0;
    bool good = CM_Locate_DevNodeW(&node, id.data(), CM_LOCATE_DEVNODE_NORMAL) == CR_SUCCESS;
    while (good && CM_Get_Parent(&node, node, 0) == CR_SUCCESS) {
        wchar_t text[256] = L"";
        if (CM_Get_Device_IDW(node, text, 255, 0) == CR_SUCCESS) parents += Utf8(text) + " ";
        ULONG size = sizeof text - sizeof *text;
        if (CM_Get_DevNode_Registry_PropertyW(node, CM_DRP_DEVICEDESC, nullptr, text, &size, 0) == CR_SUCCESS)
            parents += Utf8(text) + " ";
    }
    return parents;
}

Adapter AdapterOf(const IP_ADAPTER_ADDRESSES& entry) {
    // The row has the address that Windows' "random hardware addresses" hide.
    MIB_IF_ROW2 row = {};
    row.InterfaceLuid = entry.Luid;
    const bool is_known = GetIfEntry2(&row) == NO_ERROR;
    std::string mac(reinterpret_cast<const char*>(row.PermanentPhysicalAddress), 6);
    if (!is_known || mac == std::string(6, '\0'))
        mac.assign(reinterpret_cast<const char*>(entry.PhysicalAddress),
                   std::min<size_t>(entry.PhysicalAddressLength, sizeof entry.PhysicalAddress));
    const bool is_hardware = !is_known || row.InterfaceAndOperStatusFlags.HardwareInterface;
    const std::string device =
        RegistryText(L"SYSTEM\\CurrentControlSet\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}\\" +
                         Wide(entry.AdapterName) + L"\\Connection",
                     L"PnPInstanceID");
    return AdapterOf(mac, Utf8OrEmpty(entry.Description), entry.IfType == IF_TYPE_IEEE80211, is_hardware, device,
                     DeviceParents(device));
}

std::vector<Adapter> FindAdapters() {
    // Disconnected adapters are always listed. The first flag adds those whose TCP/IP a Hyper-V switch, a team or a
    // bridge has taken over; the other flags skip lists that are not needed.
    const ULONG flags = GAA_FLAG_INCLUDE_ALL_INTERFACES | GAA_FLAG_SKIP_UNICAST | GAA_FLAG_SKIP_ANYCAST |
                        GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    ULONG size = 32 * 1024, result = ERROR_BUFFER_OVERFLOW;
    std::vector<IP_ADAPTER_ADDRESSES> buffer;
    for (int tries = 0; tries < 4 && result == ERROR_BUFFER_OVERFLOW; ++tries) {  // the list may grow between two calls
        buffer.resize(size / sizeof(IP_ADAPTER_ADDRESSES) + 1);
        result = GetAdaptersAddresses(AF_UNSPEC, flags, nullptr, buffer.data(), &size);
    }
    std::vector<Adapter> adapters;
    for (const IP_ADAPTER_ADDRESSES* entry = buffer.data(); result == NO_ERROR && entry; entry = entry->Next)
        if (entry->IfType == IF_TYPE_ETHERNET_CSMACD || entry->IfType == IF_TYPE_IEEE80211)
            adapters.push_back(AdapterOf(*entry));
    return adapters;
}

Machine FindMachine() {
    return MachineOf(FindAdapters(), Stripped(RegistryText(L"SOFTWARE\\Microsoft\\Cryptography", L"MachineGuid")));
}

// All spellings of a hardware address are one key.
std::string CanonicalKey(const std::string& license_key) {
    const std::regex kAddress(
        "[0-9a-f]{2}([-:. ]?)([0-9a-f]{2}\\1){4}[0-9a-f]{2}|[0-9a-f]{4}([-:. ])[0-9a-f]{4}\\3[0-9a-f]{4}");
    const std::string text = Stripped(license_key), lower = Lower(text);
    if (!std::regex_match(lower, kAddress)) return text;
    std::string key;
    for (const char c : lower) {
        if (std::strchr("-:. ", c)) continue;
        if (key.size() % 3 == 2) key += ':';
        key += c;
    }
    return key;
}

// The first 30 bits of a hash, to be read out.
std::string MachineCode(const std::string& tool, const std::string& license_key) {
    if (license_key.empty()) return "";
    const std::string digest = Sha256(tool + "\n" + CanonicalKey(license_key));
    std::string code;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) bits = bits << 8 | static_cast<unsigned char>(digest[i]);
    for (int shift = 27; shift >= 2; shift -= 5) code += "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"[bits >> shift & 31];
    return code.insert(3, "-");
}

// ---- Background refreshes ----

Mutex refresh_mutex;
HANDLE latest_refresh = nullptr;

// Whether the latest refresh has ended.
bool WaitForRefresh(ULONGLONG milliseconds) {
    HANDLE copy = nullptr;
    refresh_mutex.Locked([&] {
        const HANDLE process = GetCurrentProcess();
        if (latest_refresh) DuplicateHandle(process, latest_refresh, process, &copy, SYNCHRONIZE, FALSE, 0);
    });
    const Handle thread(copy);
    return !thread || WaitForSingleObject(thread.get(), static_cast<DWORD>(milliseconds)) == WAIT_OBJECT_0;
}

void WaitAtExit() { WaitForRefresh(kRefreshExitMs); }

bool IsInProgramFile() {
    HMODULE module = nullptr;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                       reinterpret_cast<LPCWSTR>(&WaitAtExit), &module);
    return module == GetModuleHandleW(nullptr);
}

void InBackground(std::function<void()> refresh) {
    Handle thread = StartThread(std::move(refresh));
    if (!thread) return;
    // A program that exits at once would otherwise never renew its lease. A DLL must not wait: when it learns of the
    // exit, it holds the loader lock, and its threads have been ended.
    static const bool kIsHooked = IsInProgramFile() && std::atexit(WaitAtExit) == 0;
    static_cast<void>(kIsHooked);
    const Handle earlier =
        refresh_mutex.Locked([&] { return Handle(std::exchange(latest_refresh, thread.release())); });
}

// ---- The check ----

struct Result {
    std::string code, message, source, reason, license_key, machine_id, expires, days_left, diagnostic;
    Json claims;
};

// What the vendor is told, beside the computer's name.
struct Info {
    std::string version, customer_name, customer_email;
};

enum Action { kCheck, kActivate, kDeactivate, kImport };

struct Request {
    std::vector<std::string> servers;  // at least one; leases are stored under the first
    std::string tool, keys;
    bool refresh, trial;
    ULONGLONG timeout;  // of each server
    Action action = kCheck;
    std::string activation_code = {};
    std::string offline_file = {};
};

// Of a server that gave no answer.
struct Problem {
    std::string server;
    NoVerdict error;
};

// What the checks of a process share; tests replace the functions.
struct Client {
    std::function<int64_t()> now = UnixTime;
    std::function<std::optional<int64_t>()> uptime = [] { return static_cast<int64_t>(GetTickCount64() / 1000); };
    std::function<std::string()> nonce = NewNonce;
    std::function<Machine()> find_machine = FindMachine;
    std::function<std::wstring()> find_folder = StateFolder;
    std::function<Reply(const Url&, const std::string&, bool, ULONGLONG)> exchange =
        [](const Url& url, const std::string& body, bool verify, ULONGLONG deadline) {
            return Exchange(url, verify, deadline).Post(body);
        };
    std::function<void(std::function<void()>)> in_background = InBackground;

    Mutex mutex;  // for the rest
    Info info;
    Machine machine;
    std::map<std::string, Result> results;           // by tool
    std::map<std::wstring, ULONGLONG> refused_at;    // by stored file: it counts even if the disk cannot be written
    std::map<std::wstring, ULONGLONG> refreshed_at;  // by stored file

    Machine FoundMachine(ULONGLONG milliseconds) {
        Machine known = mutex.Locked([&] { return machine; });
        if (!known.Id().empty()) return known;
        try {
            known = Within(milliseconds, find_machine);
        } catch (const NoVerdict&) {
            return {};
        }
        return mutex.Locked([&] { return machine = known; });
    }
};

// The addresses in a text, which commas or line breaks separate; at least an empty one.
std::vector<std::string> ServersIn(const std::string& text) {
    std::vector<std::string> servers;
    for (size_t at = 0, end; (at = text.find_first_not_of(",\r\n", at)) != text.npos; at = end) {
        end = std::min(text.find_first_of(",\r\n", at), text.size());
        servers.push_back(text.substr(at, end - at));
    }
    return servers.empty() ? std::vector<std::string>{ "" } : servers;
}

std::string Object(std::initializer_list<std::pair<const char*, std::string>> members) {
    std::string json;
    for (const auto& [name, text] : members)
        if (!text.empty()) json += (json.empty() ? "" : ",") + Quoted(name) + ":" + Quoted(text);
    return "{" + json + "}";
}

std::string ComputerName() {
    wchar_t name[256];
    DWORD size = 256;
    return GetComputerNameExW(ComputerNameDnsHostname, name, &size) ? Utf8({ name, size }) : "";
}

std::string UserName() {
    wchar_t name[257];
    DWORD size = 257;
    return GetUserNameW(name, &size) ? Utf8(name) : "";
}

class Check {
public:
    Check(Client& client, const Request& request)
        : client_(client), request_(request), deadline_(GetTickCount64() + request.timeout) {}

    Result Run() {
        Result result = Decided();
        // A network driver may have started too late: the next check looks again.
        if (CodeNumber(result.code) <= 0) client_.mutex.Locked([&] { client_.machine = {}; });
        return result;
    }

    // In base64url, or nothing.
    std::string OfflineRequest() {
        try {
            Prepare();
            license_key_ = ids_.back();  // as for an activation code
            const std::string nonce = Within(kSaveMs, [store = store_, id = license_key_, nonce = client_.nonce] {
                return store.OpenRequest(id, nonce);
            });
            return nonce.empty() ? "" : ToBase64Url(Question(nonce, false) + "}");
        } catch (const NoVerdict&) {
            return "";
        }
    }

private:
    Result Decided() {
        try {
            return Decide();
        } catch (const NoVerdict& error) {
            return NoAnswer(error);
        } catch (const std::exception& error) {
            return NoAnswer({ kNoAnswer, error.what() });
        }
    }

    void Prepare() {
        if (request_.tool.empty()) throw NoVerdict{ kBadToolName, "" };
        machine_ = client_.FoundMachine(request_.timeout / 2);
        license_key_ = machine_.Id();
        if (license_key_.empty()) throw NoVerdict{ kNoMachineId, "" };
        keys_ = ParseKeys(request_.keys);
        if (!keys_.problem.empty()) throw NoVerdict{ kBadKeys, keys_.problem };
        Start(Left(deadline_) / 2);
    }

    Result Decide() {
        Prepare();
        if (request_.action == kImport) return Import();
        if (request_.action != kCheck) return DecideAboutCode();
        const std::optional<Claims> lease = Lease();
        if (lease && !request_.refresh) {
            RefreshIfDue(*lease);
            return Accepted(*lease, "lease", nullptr);
        }
        try {
            return Accepted(FirstVerdict(), "server", nullptr);
        } catch (const NoVerdict& error) {
            ReadAgain();  // it may have expired or been erased meanwhile
            const std::optional<Claims> still_good = Lease();
            if (!still_good) throw;
            return Accepted(*still_good, "lease", &error);
        }
    }

    // Chooses the machine IDs to ask with, and reads what is stored. A network drive may be gone: then nothing is.
    void Start(ULONGLONG milliseconds) {
        Append(ids_, machine_.earlier);
        Append(ids_, machine_.preferred);
        struct Found {
            Store store;
            std::optional<State> state;
            std::string previous;
        };
        std::vector<std::string> present = ids_;
        for (const std::string& id : machine_.present) Append(present, id);
        const auto find = [present, server = request_.servers.front(), tool = request_.tool, folder = client_.find_folder,
                           now = client_.now, uptime = client_.uptime] {
            Found found = { Store(folder(), server, tool), std::nullopt, "" };
            std::optional<State> newest;
            for (const State& state : found.store.ReadAll()) {
                const bool is_present = std::find(present.begin(), present.end(), state.license_key) != present.end();
                std::optional<State>& best = is_present ? found.state : newest;
                if (state.good_iat && (!best || *state.good_iat > *best->good_iat)) best = state;
            }
            if (found.state) found.state = found.store.Start(*found.state, now, uptime);
            else if (newest) found.previous = newest->license_key;
            return found;
        };
        try {
            const Found found = Within(milliseconds, find);
            is_started_ = true;
            store_ = found.store;
            state_ = found.state;
            previous_ = found.previous;
        } catch (const NoVerdict&) {
            return;
        }
        if (state_) ids_ = { state_->license_key };
        license_key_ = ids_.front();
    }

    void ReadAgain() {
        if (!is_started_) {
            // The disk was too slow. After a refusal, which could not be stored either, no lease counts.
            if (!is_refused_) Start(std::max(Left(deadline_), kSaveMs));
            return;
        }
        if (!state_) return;
        try {
            state_ = Within(kSaveMs, [store = store_, id = state_->license_key] { return store.Read(id); });
        } catch (const NoVerdict&) {
            return;
        }
        // Nothing that an earlier start has changed is in a file that cannot be written.
        if (state_ && state_->token) state_->MoveMark(client_.now(), client_.uptime());
    }

    // The claims of the stored lease if it can be used now.
    std::optional<Claims> Lease() {
        lease_ = state_ && state_->HasClockEnded() ? "ended, because the clock was set back" : "none";
        if (!state_ || !state_->token) return std::nullopt;
        try {
            Claims claims =
                Verified(*state_->token, keys_, { { "aud", request_.tool }, { "sub", state_->license_key } });
            const std::wstring path = store_.Path(state_->license_key);
            const bool is_refused = client_.mutex.Locked([&] { return client_.refused_at.count(path) > 0; });
            const bool is_over = client_.now() >= claims.exp, is_withdrawn = is_refused || !claims.IsGood();
            lease_ = is_withdrawn ? "withdrawn" : "until " + UtcText(claims.exp) + (is_over ? ", expired" : "");
            if (!is_withdrawn && !is_over) return claims;
        } catch (const NoVerdict& error) {
            lease_ = "rejected: " + error.why;
        }
        return std::nullopt;
    }

    Claims FirstVerdict() {
        return FirstAnswer("/api/check", [this](const Url& url) { return Ask(url); });
    }

    // No answer from one server leaves the next the whole timeout.
    template <typename Function>
    auto FirstAnswer(const char* path, Function ask) -> decltype(ask(Url())) {
        for (const std::string& server : request_.servers) {
            if (!problems_.empty()) deadline_ = GetTickCount64() + request_.timeout;
            try {
                return ask(ApiUrl(server, path));
            } catch (const NoVerdict& error) {
                problems_.push_back({ server, error });
            }
        }
        throw problems_.front().error;
    }

    // Asks with one machine ID after the other until an answer is good; otherwise the first refusal that says more than
    // NOT_FOUND decides.
    Claims Ask(const Url& url) {
        std::optional<Claims> refusal;
        for (const std::string& id : ids_) {
            license_key_ = id;
            Claims claims = AskOnce(url, request_.trial && id == ids_.back());
            if (claims.IsGood()) return claims;
            if (!refusal || refusal->code == "NOT_FOUND") refusal = std::move(claims);
        }
        license_key_ = refusal->all["sub"].text;
        return *refusal;
    }

    std::optional<State> Stored() const {
        return Within(Left(deadline_), [store = store_, id = license_key_] { return store.Read(id); });
    }

    Claims AskOnce(const Url& url, bool trial) {
        const ULONGLONG asked_at = GetTickCount64();
        const std::optional<State> before = Stored();
        const std::string nonce = client_.nonce();
        certificate_.reset();
        try {
            const std::string token = TokenOf(Follow(url, Question(nonce, trial)));
            Claims claims =
                Verified(token, keys_, { { "aud", request_.tool }, { "sub", license_key_ }, { "nonce", nonce } });
            Save(token, claims, before, asked_at);
            return claims;
        } catch (const NoVerdict&) {
            if (certificate_) throw *certificate_;
            throw;
        }
    }

    // ---- Activation codes ----

    // One machine ID takes the seat: the one that was good last, or else the one that changes least.
    Result DecideAboutCode() {
        license_key_ = ids_.back();
        const bool is_activation = request_.action == kActivate;
        return FirstAnswer(is_activation ? "/api/activate" : "/api/deactivate",
                           [&](const Url& url) { return is_activation ? Activate(url) : Deactivate(url); });
    }

    Result Activate(const Url& url) {
        const ULONGLONG asked_at = GetTickCount64();
        const std::optional<State> before = Stored();
        const std::string nonce = client_.nonce();
        const Reply reply = SendCode(url, Question(nonce, false) + CodeMember() + PersonalMembers() + "}");
        const Json answer = MembersOf(reply);
        if (!ReasonIn(answer).empty()) return AboutCode("REFUSED", answer);
        const std::string token = TokenOf(reply);
        const Claims claims =
            Verified(token, keys_, { { "aud", request_.tool }, { "sub", license_key_ }, { "nonce", nonce } });
        Save(token, claims, before, asked_at);
        return Accepted(claims, "server", nullptr);
    }

    Result Deactivate(const Url& url) {
        const std::optional<State> before = Stored();
        const Reply reply = SendCode(url, "{\"tool_name\":" + Quoted(request_.tool) +
                                              ",\"license_key\":" + Quoted(license_key_) + CodeMember() + "}");
        const Json answer = MembersOf(reply);
        if (!ReasonIn(answer).empty()) return AboutCode("REFUSED", answer);
        if (reply.status != 200 || !answer["status"].Is("success")) throw NoResult(reply.status, "");
        EraseLease(before);
        return AboutCode("REMOVED", answer);
    }

    std::string CodeMember() const { return ",\"activation_code\":" + Quoted(request_.activation_code); }

    // Sends an activation code, which whoever reads it could use: only to this server, and never where its certificate
    // cannot be verified.
    Reply SendCode(const Url& configured, const std::string& body) const {
        Url url = configured;
        for (int hop = 0; hop <= kMaxRedirects; ++hop) {
            const Reply reply = Send(url, body, true);
            if (!IsRedirect(reply.status)) return reply;
            url = RedirectTarget(url, Stripped(reply.location));
            if (!url.secure || !IsSameServer(configured, url)) throw ForbiddenRedirect(url);
        }
        throw NoVerdict{ kNoResult, "too many redirects" };
    }

    static NoVerdict ForbiddenRedirect(const Url& target) {
        return { kNoResult, "redirected to " + DisplayAddress(target.Text()) + ", which is not allowed" };
    }

    void EraseLease(const std::optional<State>& before) {
        client_.mutex.Locked([&] { client_.refused_at[store_.Path(license_key_)] = GetTickCount64(); });
        lease_ = "none";
        const State state = { license_key_,  std::nullopt,    std::nullopt,
                              client_.now(), kClockAllowance, client_.uptime() };
        StoreInTime(state, before);
    }

    Result AboutCode(const char* code, const Json& answer) const {
        const std::string reason = ReasonIn(answer);
        Result result = NewResult(code, answer["message"].Words(), "server", nullptr);
        result.reason = reason;
        if (!reason.empty()) result.diagnostic = Diagnostic(code + (" (" + reason + ")"), "server", nullptr);
        return result;
    }

    // ---- Machines that are never online ----

    Result Import() {
        license_key_ = ids_.back();
        const std::string token = TokenIn(request_.offline_file);
        if (token.empty()) return RefusedFile("NO_OFFLINE_FILE");
        std::optional<Claims> file;
        try {
            file = Verified(token, keys_, {});
        } catch (const NoVerdict&) {
            return RefusedFile("BAD_SIGNATURE");
        }
        const std::string& id = file->all["sub"].text;
        if (!file->all["aud"].Is(request_.tool)) return RefusedFile("OTHER_TOOL");
        const std::vector<std::string>& present = machine_.present;
        const bool is_listed = std::find(present.begin(), present.end(), id) != present.end();
        if (id.empty() || (!is_listed && id != machine_.earlier && id != machine_.preferred))
            return RefusedFile("OTHER_MACHINE");
        license_key_ = id;
        const std::optional<Claims> lease = state_ && state_->token == token ? Lease() : std::nullopt;
        if (lease) return Accepted(*lease, "lease", nullptr);  // a second time, which must not set the clock back
        if (file->IsGood() && file->exp <= client_.now()) return RefusedFile("FILE_EXPIRED", file->exp);
        const std::string nonce = Within(kSaveMs, [store = store_, id] { return store.ReadRequest(id); });
        if (nonce.empty() || !file->all["nonce"].Is(nonce)) return RefusedFile("OTHER_REQUEST");
        if (!file->IsGood()) return Refused(file->code, file->message);
        if (file->iat > client_.now() + kClockAllowance) return RefusedFile("CLOCK_BEHIND", file->iat);
        Save(token, *file, Stored(), GetTickCount64());
        const bool is_stored = Within(kSaveMs, [store = store_, id, token] {
            const std::optional<State> stored = store.Read(id);
            const bool is_there = stored && stored->token == token;
            if (is_there) store.CloseRequest(id);
            return is_there;
        });
        return is_stored ? Accepted(*file, "lease", nullptr) : RefusedFile("NOT_STORED");
    }

    Result RefusedFile(const std::string& reason, int64_t time = 0) const {
        const auto found = std::find_if(std::begin(kFileReasons), std::end(kFileReasons),
                                        [&](const FileReason& one) { return reason == one.name; });
        const std::string message = Filled(found->message, "{time}", UtcText(time));
        return Refused(reason, Filled(message, "{now}", UtcText(client_.now())));
    }

    Result Refused(const std::string& reason, const std::string& message) const {
        Result result = NewResult("REFUSED", message, "none", nullptr);
        result.reason = reason;
        result.diagnostic = Diagnostic("REFUSED (" + reason + ")", "none", nullptr);
        return result;
    }

    // ---- The question, and what is stored ----

    // The members of the request, without the closing brace.
    std::string Question(const std::string& nonce, bool trial) const {
        std::string kids;
        for (size_t i = 0; i < keys_.points.size() && i < kMaxKids; ++i)
            kids += (kids.empty() ? "" : ",") + Quoted(keys_.points[i].first);
        const bool is_check = request_.action == kCheck;
        return "{\"tool_name\":" + Quoted(request_.tool) + ",\"license_key\":" + Quoted(license_key_) +
               ",\"nonce\":" + Quoted(nonce) + ",\"kids\":[" + kids + "]" +
               (previous_.empty() || !is_check ? "" : ",\"previous_license_key\":" + Quoted(previous_)) +
               (trial ? ",\"trial\":true" : "");
    }

    std::string PersonalMembers() const {
        const Info info = client_.mutex.Locked([&] { return client_.info; });
        const auto cut = [](const std::string& text) { return Utf8(Wide(text).substr(0, 100)); };
        const std::string customer =
            Object({ { "name", cut(info.customer_name) }, { "email", cut(info.customer_email) } });
        return ",\"client\":" +
               Object({ { "version", cut(info.version) },
                        { "hostname", cut(ComputerName()) },
                        { "user", cut(UserName()) } }) +
               (customer == "{}" ? "" : ",\"customer\":" + customer);
    }

    // Sends the question, also to where the server redirects it: its signature proves an answer, not its address.
    Reply Follow(const Url& configured, const std::string& question) {
        const std::string anonymous = question + "}", personal = question + PersonalMembers() + "}";
        Url url = configured;
        bool is_same = true, was_secure = false;
        for (int hop = 0; hop <= kMaxRedirects; ++hop) {
            Reply reply;
            try {
                reply = Send(url, is_same ? personal : anonymous, true);
            } catch (const BadCertificate& problem) {
                // A wrong clock or a missing root certificate. Nobody's name travels over such a connection.
                if (!certificate_) certificate_ = problem;
                is_same = false;
                reply = Send(url, anonymous, false);
            }
            if (!IsRedirect(reply.status)) return reply;
            const Url target = RedirectTarget(url, Stripped(reply.location));
            was_secure = was_secure || url.secure;
            if (!target.secure && (was_secure || target.host != configured.host))
                throw ForbiddenRedirect(target);
            is_same = is_same && IsSameServer(configured, target);
            url = target;
        }
        throw NoVerdict{ kNoResult, "too many redirects" };
    }

    Reply Send(const Url& url, const std::string& body, bool verify) const {
        return Within(Left(deadline_), [exchange = client_.exchange, url, body, verify, deadline = deadline_] {
            return exchange(url, body, verify, deadline);
        });
    }

    // Stores a good answer as the lease; a refusal erases the lease.
    void Save(const std::string& token, const Claims& claims, const std::optional<State>& before, ULONGLONG asked_at) {
        const std::wstring path = store_.Path(license_key_);
        client_.mutex.Locked([&] {
            if (!claims.IsGood()) client_.refused_at[path] = GetTickCount64();
            else if (client_.refused_at.count(path) && client_.refused_at[path] <= asked_at)
                client_.refused_at.erase(path);
        });
        is_refused_ = is_refused_ || !claims.IsGood();
        lease_ = claims.IsGood() ? "until " + UtcText(claims.exp) : "none";
        State state = { license_key_, token, claims.iat, claims.iat, kClockAllowance, client_.uptime() };
        if (!claims.IsGood()) {
            state.token.reset();
            state.good_iat.reset();
        }
        StoreInTime(state, before);
    }

    void StoreInTime(const State& state, const std::optional<State>& before) const {
        try {
            // Only a slow disk must not turn an answer into a timeout.
            Within(kSaveMs, [store = store_, state, before] {
                store.Save(state, before);
                return true;
            });
        } catch (const NoVerdict&) {
            return;
        }
    }

    void RefreshIfDue(const Claims& lease) {
        if (lease.iat + lease.exp > 2 * client_.now()) return;
        const std::wstring path = store_.Path(license_key_);
        const bool is_due = client_.mutex.Locked([&] {
            const ULONGLONG now = GetTickCount64();
            const auto last = client_.refreshed_at.find(path);
            if (last != client_.refreshed_at.end() && now - last->second < kRefreshPauseMs) return false;
            client_.refreshed_at[path] = now;
            return true;
        });
        if (!is_due) return;
        client_.in_background([check = *this]() mutable {
            check.deadline_ = GetTickCount64() + check.request_.timeout;
            check.FirstVerdict();
        });
    }

    // ---- Its result ----

    Result Accepted(const Claims& claims, const char* source, const NoVerdict* error) const {
        // Online, the server's clock decides what day it is: this computer's may be wrong.
        const bool is_online = std::strcmp(source, "server") == 0;
        Result result = NewResult(claims.code, claims.message, source, error);
        result.expires = claims.expiration_date;
        result.days_left = DaysLeft(result.expires, is_online ? claims.iat : client_.now());
        result.claims = claims.all;
        return result;
    }

    Result NoAnswer(const NoVerdict& error) const {
        std::string message = Filled(error.message, "{why}", error.why);
        message = Filled(message, "{address}", DisplayAddress(request_.servers.front()));
        if (state_ && state_->HasClockEnded()) message += kClockHint;
        return NewResult("NO_ANSWER", message, "none", &error);
    }

    static std::string Filled(std::string message, const std::string& name, const std::string& text) {
        const size_t at = message.find(name);
        return at == message.npos ? message : message.replace(at, name.size(), text);
    }

    Result NewResult(const std::string& code, const std::string& message, const char* source,
                     const NoVerdict* error) const {
        Result result;
        result.code = code;
        result.message = message;
        result.source = source;
        result.license_key = license_key_;
        result.machine_id = state_ ? state_->license_key : machine_.Id();
        result.diagnostic = Diagnostic(code, source, error);
        return result;
    }

    std::string Diagnostic(const std::string& code, const char* source, const NoVerdict* error) const {
        const auto add = [](std::string& list, const char* separator, const std::string& one) {
            list += (list.empty() ? "" : separator) + one;
        };
        const auto reason = [](const NoVerdict& one) { return one.why.empty() ? Before(one.message, ":") : one.why; };
        std::string kids = keys_.problem, servers, why;
        for (const auto& [kid, point] : keys_.points) add(kids, ", ", kid);
        for (const std::string& server : request_.servers) add(servers, ", ", DisplayAddress(server));
        for (const Problem& one : problems_) add(why, "; ", DisplayAddress(one.server) + ": " + reason(one.error));
        if (request_.servers.size() == 1 || problems_.empty()) why = error ? reason(*error) : "-";
        const std::string version = client_.mutex.Locked([&] { return client_.info.version; });
        const std::string id = license_key_.substr(license_key_.size() - std::min<size_t>(license_key_.size(), 4));
        std::vector<std::pair<const char*, std::string>> lines = {
            { "client", std::string("licenseclient.cpp ") + kVersion + (sizeof(void*) == 8 ? ", x64" : ", x86") },
            { "tool", request_.tool + " " + version },
            { "server", servers },
            { "machine ID", "..." + id },
            { "machine code", MachineCode(request_.tool, license_key_) },
            { "code", code },
            { "source", source },
            { "keys", kids },
            { "lease", lease_ },
            { "clock", UtcText(client_.now()) },
            { "no answer", why },
        };
        if (!previous_.empty()) lines.emplace_back("machine ID changed", "from " + previous_ + " to " + license_key_);
        std::string text;
        for (auto& [name, value] : lines) {
            for (char& c : value)
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
            text += (text.empty() ? "" : "\r\n") + std::string(name) + ": " + Stripped(value);
        }
        return text;
    }

    Client& client_;
    Request request_;
    ULONGLONG deadline_;
    Keys keys_;
    Machine machine_;
    std::vector<std::string> ids_;  // to ask with, in this order
    std::string license_key_;       // the one of them that the result is about
    std::string previous_;          // the machine ID that was good before, if it is no longer in the machine
    Store store_;
    bool is_started_ = false;     // the stored states have been read in time
    bool is_refused_ = false;     // by an answer to this check
    std::vector<Problem> problems_;
    std::optional<State> state_;  // of the machine ID that was good last
    std::string lease_ = "none";  // a description
    std::optional<BadCertificate> certificate_;
};

// Never destroyed: threads may use it while the program exits.
Client& TheClient() {
    static Client& client = *new Client;
    return client;
}

std::string Detail(const std::string& tool, const std::string& name) {
    Client& client = TheClient();
    const Result result = client.mutex.Locked([&] { return client.results[tool]; });
    const std::map<std::string, const std::string*> own = {
        { "message", &result.message }, { "code", &result.code },           { "source", &result.source },
        { "expires", &result.expires }, { "days_left", &result.days_left }, { "diagnostic", &result.diagnostic },
        { "reason", &result.reason },
    };
    const auto found = own.find(name);
    if (found != own.end()) return *found->second;
    if (name == "machine_id" || name == "machine_code") {
        const std::string id =
            result.machine_id.empty() ? client.FoundMachine(kDefaultTimeoutMs).Id() : result.machine_id;
        return name == "machine_id" ? id : MachineCode(tool, id);
    }
    if (name != "features") return Granted(result.claims, name);
    std::string lines;
    for (const std::string& feature : Features(result.claims)) lines += (lines.empty() ? "" : "\n") + feature;
    return lines;
}

// By the latest result of this tool.
template <typename Question>
int Asked(const wchar_t* tool, const wchar_t* text, Question question) {
    try {
        Client& client = TheClient();
        const std::string name = Utf8OrEmpty(tool);
        const Result result = client.mutex.Locked([&] { return client.results[name]; });
        return question(result, Utf8OrEmpty(text)) ? 1 : 0;
    } catch (...) {
        return 0;
    }
}

bool Has(const Result& result, const std::string& feature) {
    const std::vector<std::string> features = Features(result.claims);
    return CodeNumber(result.code) > 0 && std::find(features.begin(), features.end(), feature) != features.end();
}

int Copied(const std::wstring& text, wchar_t* buffer, int length) {
    if (buffer && length > 0) {
        const size_t copied = std::min(text.size(), static_cast<size_t>(length) - 1);
        text.copy(buffer, copied);
        buffer[copied] = L'\0';
    }
    return static_cast<int>(text.size());
}

// In base64url, or nothing.
std::string OfflineRequest(const wchar_t* server, const wchar_t* tool, const wchar_t* keys) {
    const Request request = { ServersIn(Utf8OrEmpty(server)), Utf8OrEmpty(tool), Utf8OrEmpty(keys),       false,
                              false,                          kDefaultTimeoutMs, kImport };
    return Check(TheClient(), request).OfflineRequest();
}

std::string InGroups(const std::string& text) {
    std::string groups;
    for (size_t at = 0; at < text.size(); at += 8) groups += (at ? " " : "") + text.substr(at, 8);
    return groups;
}

std::string ClaimUrl(const std::string& server, const std::string& request) {
    return request.empty() ? "" : ApiUrl(server, "/claim").Text() + "?request=" + request;
}

template <typename Function>
int CopiedOrNothing(Function text, wchar_t* buffer, int length) {
    try {
        return Copied(Wide(text()), buffer, length);
    } catch (...) {
        return Copied(L"", buffer, length);
    }
}

int Decided(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, int timeout_ms, int flags, Action action,
            const wchar_t* text) {
    try {
        const bool is_usable = timeout_ms > 0 && timeout_ms <= kMaxTimeoutMs;
        const int timeout = is_usable ? timeout_ms : kDefaultTimeoutMs;
        const Request request = { ServersIn(Utf8OrEmpty(server)),
                                  Utf8OrEmpty(tool),
                                  Utf8OrEmpty(keys),
                                  (flags & LICENSE_REFRESH) != 0,
                                  (flags & LICENSE_OFFER_TRIAL) != 0,
                                  static_cast<ULONGLONG>(timeout),
                                  action,
                                  Utf8(Wide(Utf8OrEmpty(text)).substr(0, kMaxCodeLength)),
                                  Utf8OrEmpty(text) };
        Client& client = TheClient();
        Result result = Check(client, request).Run();
        const int number = ResultNumber(result.code);
        client.mutex.Locked([&] { client.results[request.tool] = std::move(result); });
        return number;
    } catch (...) {
        return LICENSE_NO_ANSWER;
    }
}

}  // namespace

extern "C" {

int __stdcall LicenseCheck(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, int timeout_ms, int flags) {
    return Decided(server, tool, keys, timeout_ms, flags, kCheck, nullptr);
}

int __stdcall LicenseActivate(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, const wchar_t* code,
                              int timeout_ms) {
    return Decided(server, tool, keys, timeout_ms, 0, kActivate, code);
}

int __stdcall LicenseDeactivate(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, const wchar_t* code,
                                int timeout_ms) {
    return Decided(server, tool, keys, timeout_ms, 0, kDeactivate, code);
}

int __stdcall LicenseDetail(const wchar_t* tool, const wchar_t* name, wchar_t* buffer, int length) {
    return CopiedOrNothing([&] { return Detail(Utf8OrEmpty(tool), Utf8OrEmpty(name)); }, buffer, length);
}

int __stdcall LicenseOfflineRequest(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, wchar_t* buffer,
                                    int length) {
    return CopiedOrNothing([&] { return InGroups(OfflineRequest(server, tool, keys)); }, buffer, length);
}

int __stdcall LicenseOfflineUrl(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, wchar_t* buffer,
                                int length) {
    const auto url = [&] {
        return ClaimUrl(ServersIn(Utf8OrEmpty(server)).front(), OfflineRequest(server, tool, keys));
    };
    return CopiedOrNothing(url, buffer, length);
}

int __stdcall LicenseImport(const wchar_t* server, const wchar_t* tool, const wchar_t* keys, const wchar_t* text) {
    return Decided(server, tool, keys, 0, 0, kImport, text);
}

int __stdcall LicenseHas(const wchar_t* tool, const wchar_t* feature) { return Asked(tool, feature, Has); }

int __stdcall LicenseUpdateAvailable(const wchar_t* tool, const wchar_t* my_version) {
    return Asked(tool, my_version, [](const Result& result, const std::string& version) {
        return IsOlder(version, Granted(result.claims, "latest_version"));
    });
}

int __stdcall LicenseIsBelowMinimum(const wchar_t* tool, const wchar_t* my_version) {
    return Asked(tool, my_version, [](const Result& result, const std::string& version) {
        return IsOlder(version, Granted(result.claims, "minimum_version"));
    });
}

int __stdcall LicenseCovers(const wchar_t* tool, const wchar_t* build_date) {
    return Asked(tool, build_date,
                 [](const Result& result, const std::string& date) { return Covers(result.claims, date); });
}

void __stdcall LicenseSetInfo(const wchar_t* version, const wchar_t* customer_name, const wchar_t* customer_email) {
    try {
        const Info info = { Utf8OrEmpty(version), Utf8OrEmpty(customer_name), Utf8OrEmpty(customer_email) };
        Client& client = TheClient();
        client.mutex.Locked([&] { client.info = info; });
    } catch (...) {
        return;
    }
}

int __stdcall LicenseWait(int timeout_ms) { return WaitForRefresh(static_cast<ULONGLONG>(std::max(timeout_ms, 0))); }

}  // extern "C"
