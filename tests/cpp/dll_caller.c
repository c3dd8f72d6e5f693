/* Calls licenseclient.dll as other languages do: found by name at run time, with UTF-16 texts and stdcall.
 *
 *     x86_64-w64-mingw32-gcc -O1 -municode tests/cpp/dll_caller.c -o dll_caller.exe
 *     dll_caller.exe licenseclient.dll SERVER TOOL KEYS [TIMEOUT_MS [FLAGS [FUNCTION CODE]]]
 *
 * FUNCTION is LicenseActivate, LicenseDeactivate or, with a text instead of a code, LicenseImport, instead of
 * LicenseCheck. Prints the number of the result and the milliseconds that it took, then each detail as NAME=TEXT. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

typedef int(__stdcall *Check)(const wchar_t *, const wchar_t *, const wchar_t *, int, int);
typedef int(__stdcall *AboutCode)(const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *, int);
typedef int(__stdcall *Import)(const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *);
typedef int(__stdcall *Offline)(const wchar_t *, const wchar_t *, const wchar_t *, wchar_t *, int);
typedef int(__stdcall *Question)(const wchar_t *, const wchar_t *);
typedef int(__stdcall *Detail)(const wchar_t *, const wchar_t *, wchar_t *, int);
typedef void(__stdcall *SetInfo)(const wchar_t *, const wchar_t *, const wchar_t *);
typedef int(__stdcall *Wait)(int);

static void *function(HMODULE library, const char *name) {
    void *const found = (void *)GetProcAddress(library, name);
    if (!found) {
        fprintf(stderr, "%s is not exported\n", name);
        exit(2);
    }
    return found;
}

static void print(const wchar_t *name, const wchar_t *text) {
    char utf8[16 * 1024];
    const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8, NULL, NULL);
    printf("%ls=%s\n", name, size ? utf8 : "");
}

int wmain(int count, wchar_t **arguments) {
    static const wchar_t *const names[] = { L"code",    L"source",    L"message",    L"machine_id",   L"machine_code",
                                            L"expires", L"days_left", L"edition",    L"features",     L"data",
                                            L"unknown", L"reason",    L"updates_until", L"latest_version",
                                            L"minimum_version", L"diagnostic" };
    static const struct {
        const char *function;
        const wchar_t *text, *name;
    } questions[] = { { "LicenseHas", L"export", L"has export" },
                      { "LicenseHas", L"print", L"has print" },
                      { "LicenseUpdateAvailable", L"2.9", L"update available for 2.9" },
                      { "LicenseIsBelowMinimum", L"2.9", L"below minimum with 2.9" },
                      { "LicenseCovers", L"2027-06-30", L"covers 2027-06-30" },
                      { "LicenseCovers", L"2027-07-01", L"covers 2027-07-01" } };
    const HMODULE library = count >= 5 ? LoadLibraryW(arguments[1]) : NULL;
    if (!library) {
        fprintf(stderr, "usage: dll_caller licenseclient.dll SERVER TOOL KEYS [TIMEOUT_MS [FLAGS]]\n");
        return 2;
    }
    const Check check = (Check)function(library, "LicenseCheck");
    const Detail detail = (Detail)function(library, "LicenseDetail");
    const SetInfo set_info = (SetInfo)function(library, "LicenseSetInfo");
    const Wait wait = (Wait)function(library, "LicenseWait");
    const int timeout = count > 5 ? _wtoi(arguments[5]) : 0, flags = count > 6 ? _wtoi(arguments[6]) : 0;

    char name[32] = "LicenseActivate";
    if (count > 8) WideCharToMultiByte(CP_UTF8, 0, arguments[7], -1, name, sizeof name, NULL, NULL);
    const BOOL is_import = strcmp(name, "LicenseImport") == 0;
    const AboutCode about_code = (AboutCode)function(library, name);
    const Import import = (Import)function(library, "LicenseImport");

    set_info(L"3.1", L"M\u00fcller & Co", NULL);
    const ULONGLONG start = GetTickCount64();
    const int code = is_import   ? import(arguments[2], arguments[3], arguments[4], arguments[8])
                     : count > 8 ? about_code(arguments[2], arguments[3], arguments[4], arguments[8], timeout)
                               : check(arguments[2], arguments[3], arguments[4], timeout, flags);
    printf("%d in %lu ms\n", code, (unsigned long)(GetTickCount64() - start));
    for (size_t i = 0; i < sizeof questions / sizeof *questions; ++i) {
        const Question question = (Question)function(library, questions[i].function);
        print(questions[i].name, question(arguments[3], questions[i].text) ? L"1" : L"0");
    }
    static const char *const offline[] = { "LicenseOfflineRequest", "LicenseOfflineUrl" };
    static const wchar_t *const offline_names[] = { L"offline_request", L"offline_url" };
    for (size_t i = 0; i < 2; ++i) {
        wchar_t text[8 * 1024];
        ((Offline)function(library, offline[i]))(arguments[2], arguments[3], arguments[4], text, 8 * 1024);
        print(offline_names[i], text);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        wchar_t text[8 * 1024];
        const int length = detail(arguments[3], names[i], text, (int)(sizeof text / sizeof *text));
        print(names[i], length == (int)wcslen(text) ? text : L"a wrong length");
    }

    wchar_t cut[4] = L"xxx";
    if (detail(arguments[3], L"code", cut, 3) < 5 || wcslen(cut) != 2 || detail(NULL, NULL, NULL, 0) != 0) return 1;
    wait(1000);
    return FreeLibrary(library) ? 0 : 1;
}
