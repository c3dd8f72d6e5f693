// Runs static/cpp/licenseclient.cpp on the vectors from standard input, one per line, and prints one result per line.
//
//     x86_64-w64-mingw32-g++ -std=c++17 -O1 -static tests/vectors/cpp_client.cpp -o cpp_client.exe
//         -lwinhttp -lbcrypt -liphlpapi -ladvapi32 -lcfgmgr32 -lshell32
#include "../../static/cpp/licenseclient.cpp"

#include <iostream>

namespace {

std::string Written(const Json& json) {
    static const char* const kConstants[] = { "null", "true", "false" };
    if (json.kind == Json::kNumber) return json.text;
    if (json.kind == Json::kText) return Quoted(json.text);
    if (json.kind < Json::kNumber) return kConstants[json.kind];
    std::string items;
    for (size_t i = 0; i < json.items.size(); ++i)
        items += (i ? "," : "") + (json.names.empty() ? "" : Quoted(json.names[i]) + ":") + Written(json.items[i]);
    return json.kind == Json::kArray ? "[" + items + "]" : "{" + items + "}";
}

std::string FromBase64(std::string text) {
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return FromBase64Url(text.substr(0, text.find('='))).value();
}

Reply Answer(const Json& answer) {
    if (answer.kind != Json::kObject) throw NoVerdict{ kNoAnswer, "no connection" };
    if (answer["tls"].Is("date")) throw BadCertificate{ { kNoAnswer, kBadDate } };
    if (answer["tls"].Is("issuer")) throw BadCertificate{ { kNoAnswer, kBadIssuer } };
    if (answer["tls"].Is("host")) throw BadCertificate{ { kNoAnswer, kBadHost } };
    const bool is_binary = answer["body_base64"].kind == Json::kText;
    return { static_cast<int>(*answer["status"].Integer()), answer["location"].text,
             is_binary ? FromBase64(answer["body_base64"].text) : answer["body"].text };
}

std::wstring NewFolder() {
    wchar_t path[MAX_PATH];
    GetTempPathW(MAX_PATH, path);
    const std::wstring folder = path + Wide("license-client-" + NewNonce());
    CreateDirectoryW(folder.c_str(), nullptr);
    return folder;
}

void Remove(const std::wstring& folder) {
    WIN32_FIND_DATAW found;
    const HANDLE search = FindFirstFileW((folder + L"\\*").c_str(), &found);
    do DeleteFileW((folder + L"\\" + found.cFileName).c_str());
    while (FindNextFileW(search, &found));
    FindClose(search);
    RemoveDirectoryW(folder.c_str());
}

void WriteState(const std::wstring& folder, std::wstring path, const Json& state) {
    const Json &file = state["file"], &text = state["text"];
    if (file.kind == Json::kText) path = folder + L"\\" + Wide(file.text);
    WriteFileText(OpenShared(path, GENERIC_WRITE, CREATE_ALWAYS), text.kind == Json::kText ? text.text : Written(state),
                  false);
}

std::string Recorded(const Url& url, const std::string& body, bool verify) {
    const Json question = JsonObject(body);
    const bool is_personal = !question["client"].names.empty() || !question["customer"].names.empty();
    const Json& previous = question["previous_license_key"];
    std::string more;
    for (const char* const name : { "activation_code", "customer" })
        if (question[name].kind >= Json::kText) more += "," + Quoted(name) + ":" + Written(question[name]);
    return "{\"url\":" + Quoted(url.Text()) + ",\"license_key\":" + Written(question["license_key"]) +
           ",\"nonce\":" + (question["nonce"].kind == Json::kText ? Written(question["nonce"]) : "null") + ",\"personal\":" + (is_personal ? "true" : "false") +
           ",\"verified\":" + (verify ? "true" : "false") +
           ",\"previous_license_key\":" + (previous.kind == Json::kText ? Written(previous) : "null") +
           ",\"trial\":" + Written(question["trial"]) + more + "}";
}

// What the customer reads about an activation code; without an answer, only the beginning.
std::string Said(const Json& action, const Result& result) {
    const std::string unreachable = "The license server cannot be reached";
    if (action.kind != Json::kText) return "";
    const bool has_none = result.code == "NO_ANSWER" && HasPrefix(result.message, unreachable);
    return ",\"reason\":" + (result.reason.empty() ? "null" : Quoted(result.reason)) +
           ",\"message\":" + Quoted(has_none ? unreachable : result.message);
}

const char* Bool(bool value) { return value ? "true" : "false"; }

// The requests for offline files, without unreadable ones.
std::string Requests(const std::wstring& folder, const Store& store) {
    std::map<std::string, std::string> requests;
    WIN32_FIND_DATAW found;
    const HANDLE search = FindFirstFileW((folder + L"\\*.request").c_str(), &found);
    if (search == INVALID_HANDLE_VALUE) return "";
    do {
        const std::string key = JsonObject(ReadFileText(folder + L"\\" + found.cFileName))["license_key"].text;
        requests[key] = store.ReadRequest(key);
    } while (FindNextFileW(search, &found));
    FindClose(search);
    std::string text;
    for (const auto& [key, nonce] : requests)
        text += (text.empty() ? "" : ",") + Object({ { "license_key", key }, { "nonce", nonce } });
    return text;
}

// What the license grants, and the answers to the questions about it.
std::string License(const Json& asks, const Result& result) {
    const Json& claims = result.claims;
    std::string features, texts;
    for (const std::string& feature : Features(claims)) features += (features.empty() ? "" : ",") + Quoted(feature);
    for (const char* const name :
         { "edition", "data", "updates_until", "latest_version", "latest_url", "minimum_version" }) {
        const std::string text = Granted(claims, name);
        texts += "," + Quoted(name) + ":" + (text.empty() ? "null" : Quoted(text));
    }
    const std::string& version = asks["version"].text;
    return std::string("{\"is_trial\":") + Bool(result.code == "TRIAL") + texts + ",\"features\":[" + features +
           "],\"has\":" + Bool(Has(result, asks["has"].text)) +
           ",\"update_available\":" + Bool(IsOlder(version, Granted(claims, "latest_version"))) +
           ",\"is_below_minimum\":" + Bool(IsOlder(version, Granted(claims, "minimum_version"))) +
           ",\"covers\":" + Bool(Covers(claims, asks["build_date"].text)) + "}";
}

std::string Run(const Json& vector) {
    if (vector["other"].kind == Json::kText) {
        const std::string &version = vector["version"].text, &other = vector["other"].text;
        return std::string("{\"is_older\":") + Bool(IsOlder(version, other)) +
               ",\"is_newer\":" + Bool(IsOlder(other, version)) + "}";
    }
    if (vector["answers"].kind != Json::kArray)
        return "{\"machine_code\":" + Quoted(MachineCode(vector["tool_name"].text, vector["license_key"].text)) + "}";

    const std::wstring folder = NewFolder();
    std::vector<std::string> servers = { vector["server_url"].text };
    for (const Json& url : vector["standby_urls"].items) servers.push_back(url.text);
    const std::string tool = vector["tool_name"].text;
    const Store store(folder, servers.front(), tool);
    for (const Json& state : vector["states"].items)
        WriteState(folder, store.Path(state["license_key"].text), state);
    for (const Json& request : vector["offline_requests"].items)
        WriteState(folder, store.RequestPath(request["license_key"].text), request);
    std::string keys, requests;
    for (const Json& key : vector["keys"].items) keys += key["x"].text + "." + key["y"].text + "\n";
    size_t nonces = 0, answers = 0;

    Client client;
    client.now = [&] { return *vector["now"].Integer(); };
    client.uptime = [&] { return vector["uptime"].Integer(); };
    client.nonce = [&] { return vector["nonces"].items.at(nonces++).text; };
    client.find_folder = [&] { return folder; };
    client.find_machine = [&] {
        const Json& machine = vector["machine"];
        Machine found = { machine["earlier"].text, machine["preferred"].text, {} };
        for (const Json& id : machine["present"].items) found.present.push_back(id.text);
        return found;
    };
    client.exchange = [&](const Url& url, const std::string& body, bool verify, ULONGLONG) {
        requests += (requests.empty() ? "" : ",") + Recorded(url, body, verify);
        const std::vector<Json>& all = vector["answers"].items;
        return Answer(answers < all.size() ? all[answers++] : Json());
    };
    client.in_background = [](std::function<void()>) {};

    const bool refresh = vector["refresh"].kind == Json::kTrue, trial = vector["trial"].kind == Json::kTrue;
    const Json& action = vector["action"];
    client.info.customer_name = vector["customer"]["name"].text;
    client.info.customer_email = vector["customer"]["email"].text;
    const Action wanted = action.Is("activate")       ? kActivate
                          : action.Is("deactivate")   ? kDeactivate
                          : action.Is("import_lease") ? kImport
                                                      : kCheck;
    const Request asked = { servers, tool,   keys, refresh, trial, 20 * 1000, wanted, vector["activation_code"].text,
                            vector["text"].text };
    const bool is_shown = action.Is("offline_request");
    const std::string shown = is_shown ? Check(client, asked).OfflineRequest() : "";
    const bool is_same = is_shown && Check(client, asked).OfflineRequest() == shown;
    const Result result = is_shown ? Result() : Check(client, asked).Run();
    std::map<std::string, std::string> states;
    for (const State& state : store.ReadAll()) states[state.license_key] = state.Text();
    std::string stored;
    for (const auto& [license_key, text] : states) stored += (stored.empty() ? "" : ",") + text;
    std::string more = ",\"states\":[" + stored + "]";
    if (vector["offline_requests"].kind == Json::kArray)
        more += ",\"offline_requests\":[" + Requests(folder, store) + "]";
    if (vector["asks"].kind == Json::kObject) more += ",\"license\":" + License(vector["asks"], result);
    Remove(folder);
    if (is_shown)
        return "{\"offline_request\":" + (is_same ? Quoted(InGroups(shown)) : "false") +
               ",\"offline_url\":" + Quoted(ClaimUrl(servers.front(), shown)) + more + "}";
    return std::string("{\"valid\":") + (CodeNumber(result.code) > 0 ? "true" : "false") +
           ",\"code\":" + Quoted(result.code) + ",\"source\":" + Quoted(result.source) +
           ",\"license_key\":" + Quoted(result.license_key) + Said(action, result) +
           ",\"requests\":[" + requests + "]" + more + "}";
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) std::cout << Run(JsonObject(line)) << std::endl;
}
