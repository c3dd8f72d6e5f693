// Runs static/LicenseClient.cs, with which it is compiled, on one vector per line from standard input, and writes one
// result per line to standard output; see README.md. With arguments it checks with a server instead, without keys by a
// plain check:
//
//     CSharpClient.exe SERVER[,SERVER...] TIMEOUT CACHE_DIR [KEY ...]
//
// Two members of a line are not in README.md: "folder" keeps the stored files in this folder, and "background" runs a
// background refresh, at once. A line with "online" asks the server at "url" with the key "key", as the computer "machine".
// A line with "adapters" asks which machine IDs a computer with these has, see Choose.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Licensing;
using Licensing.Internals;

internal static class CSharpClient
{
    /// <summary>Such as that of a thread with windows, which runs nothing while it waits for a check.</summary>
    private sealed class BusyThread : SynchronizationContext
    {
        public override void Post(SendOrPostCallback callback, object state)
        {
        }
    }

    private static int Main(string[] arguments)
    {
        SynchronizationContext.SetSynchronizationContext(new BusyThread());
        using (Stream output = Console.OpenStandardOutput())
        {
            if (arguments.Length > 0)
            {
                Write(output, CheckOnline(arguments));
                return 0;
            }
            var lines = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
            for (string line = lines.ReadLine(); line != null; line = lines.ReadLine())
            {
                Write(output, Run(Object(Json.Parse(Encoding.UTF8.GetBytes(line)))));
            }
        }
        return 0;
    }

    private static void Write(Stream output, Dictionary<string, object> result)
    {
        byte[] json = Json.Write(result);
        output.Write(json, 0, json.Length);
        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static Dictionary<string, object> Run(Dictionary<string, object> vector)
    {
        if (vector.ContainsKey("online"))
        {
            return AskOnline(vector);
        }
        if (vector.ContainsKey("adapters"))
        {
            return Choose(vector);
        }
        if (vector.ContainsKey("other"))
        {
            string version = (string)vector["version"], other = (string)vector["other"];
            return new Dictionary<string, object>
            {
                { "is_older", Terms.IsOlder(version, other) },
                { "is_newer", Terms.IsOlder(other, version) },
            };
        }
        if (!vector.ContainsKey("server_url"))
        {
            string code = Machine.Code((string)vector["tool_name"], (string)vector["license_key"]);
            return new Dictionary<string, object> { { "machine_code", code } };
        }
        bool keepsFolder = vector.ContainsKey("folder");
        string folder = keepsFolder ? (string)vector["folder"]
            : Path.Combine(Path.GetTempPath(), "license-client-" + Guid.NewGuid().ToString("N"));
        try
        {
            return Check(vector, folder);
        }
        finally
        {
            if (!keepsFolder && Directory.Exists(folder))
            {
                Directory.Delete(folder, true);
            }
        }
    }

    private static Dictionary<string, object> Check(Dictionary<string, object> vector, string folder)
    {
        var machine = Object(vector["machine"]);
        var nonces = new Queue<object>(List(vector["nonces"]));
        var answers = new Queue<object>(List(vector["answers"]));
        var requests = new List<object>();
        var keys = List(vector["keys"]).Select(jwk => Encoding.UTF8.GetString(Json.Write(jwk)));
        var servers = new List<object> { vector["server_url"] };
        if (vector.ContainsKey("standby_urls"))
        {
            servers.AddRange(List(vector["standby_urls"]));
        }
        var client = new LicenseClient(servers.Cast<string>(), 60, keys, folder)
        {
            Trial = (bool)vector["trial"],
            Clock = () => (long)vector["now"],
            Uptime = () => (long?)vector["uptime"],
            Nonce = () => (string)nonces.Dequeue(),
            FindMachine = () => new MachineIds((string)machine["earlier"], (string)machine["preferred"],
                List(machine["present"]).Cast<string>()),
            Send = (exchange, cancel) =>
            {
                requests.Add(Describe(exchange));
                return Task.FromResult(Answer(answers.Count > 0 ? Object(answers.Dequeue()) : null));
            },
            InBackground = refresh =>
            {
                if (vector.ContainsKey("background"))
                {
                    refresh().Wait();
                }
            },
        };
        string tool = (string)vector["tool_name"];
        foreach (Dictionary<string, object> state in List(vector["states"]))
        {
            Write(client.Store(tool).PathOf((string)state["license_key"]), folder, state);
        }
        bool hasRequests = vector.ContainsKey("offline_requests");
        foreach (Dictionary<string, object> request in hasRequests ? List(vector["offline_requests"]) : new List<object>())
        {
            Write(client.Store(tool).RequestPathOf((string)request["license_key"]), folder, request);
        }
        if (Json.Text(vector, "action") == "offline_request")
        {
            return Show(client, tool, folder);
        }
        LicenseResult result = Ask(client, vector);
        var all = new Dictionary<string, object>
        {
            { "valid", result.Valid },
            { "code", result.Code },
            { "source", result.Source },
            { "license_key", result.LicenseKey },
            { "requests", requests },
            { "states", States(client, tool) },
        };
        if (hasRequests)
        {
            all.Add("offline_requests", Requests(client, tool, folder));
        }
        if (vector.ContainsKey("asks"))
        {
            all.Add("license", Granted(Object(vector["asks"]), result));
        }
        if (vector.ContainsKey("action"))
        {
            // Without an answer, only the beginning of what the customer reads.
            bool hasNone = result.Code == "NO_ANSWER" && result.Message.StartsWith(Unreachable, StringComparison.Ordinal);
            all.Add("reason", result.Reason);
            all.Add("message", hasNone ? Unreachable : result.Message);
        }
        return all;
    }

    /// <summary>The request that the customer sees, twice.</summary>
    private static Dictionary<string, object> Show(LicenseClient client, string tool, string folder)
    {
        string request = client.OfflineRequest(tool), again = client.OfflineRequest(tool);
        return new Dictionary<string, object>
        {
            { "offline_request", request == again ? request : request + " and " + again },
            { "offline_url", client.OfflineUrl(tool) },
            { "states", States(client, tool) },
            { "offline_requests", Requests(client, tool, folder) },
        };
    }

    private static List<object> States(LicenseClient client, string tool)
    {
        var stored = client.Store(tool).ReadAll().OrderBy(state => state.LicenseKey, StringComparer.Ordinal);
        return stored.Select(state => Json.Parse(state.Write())).ToList();
    }

    /// <summary>The requests for offline files, without unreadable ones.</summary>
    private static List<object> Requests(LicenseClient client, string tool, string folder)
    {
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.request") : new string[0];
        var keys = files.Select(file => Json.Text(Object(Json.Parse(File.ReadAllBytes(file))), "license_key"));
        return keys.OrderBy(key => key, StringComparer.Ordinal).Select(key => (object)new Dictionary<string, object>
        {
            { "license_key", key },
            { "nonce", client.Store(tool).ReadRequest(key) },
        }).ToList();
    }

    /// <summary>What the license grants, and the answers to the questions about it.</summary>
    private static Dictionary<string, object> Granted(Dictionary<string, object> asks, LicenseResult result)
    {
        return new Dictionary<string, object>
        {
            { "is_trial", result.IsTrial },
            { "edition", result.Edition },
            { "features", result.Features.Cast<object>().ToList() },
            { "data", result.Data },
            { "updates_until", result.UpdatesUntil },
            { "latest_version", result.LatestVersion },
            { "latest_url", result.LatestUrl },
            { "minimum_version", result.MinimumVersion },
            { "has", result.Has((string)asks["has"]) },
            { "update_available", result.UpdateAvailable((string)asks["version"]) },
            { "is_below_minimum", result.IsBelowMinimum((string)asks["version"]) },
            { "covers", result.Covers((string)asks["build_date"]) },
        };
    }

    private const string Unreachable = "The license server cannot be reached";

    private static LicenseResult Ask(LicenseClient client, Dictionary<string, object> vector)
    {
        string tool = (string)vector["tool_name"], action = Json.Text(vector, "action");
        if (vector.ContainsKey("customer"))
        {
            client.CustomerName = Json.Text(Object(vector["customer"]), "name");
            client.CustomerEmail = Json.Text(Object(vector["customer"]), "email");
        }
        return action == "activate" ? client.Activate(tool, (string)vector["activation_code"])
            : action == "deactivate" ? client.Deactivate(tool, (string)vector["activation_code"])
            : action == "import_lease" ? client.ImportLease(tool, (string)vector["text"])
            : client.Check(tool, vector.ContainsKey("refresh") && (bool)vector["refresh"]);
    }

    private static void Write(string path, string folder, Dictionary<string, object> state)
    {
        path = state.ContainsKey("file") ? Path.Combine(folder, (string)state["file"]) : path;
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(path, state.ContainsKey("text") ? Encoding.UTF8.GetBytes((string)state["text"])
            : Json.Write(state.Where(member => member.Key != "file").ToDictionary(m => m.Key, m => m.Value)));
    }

    private static Dictionary<string, object> Describe(Exchange exchange)
    {
        var body = Object(Json.Parse(exchange.Body));
        var request = new Dictionary<string, object>
        {
            { "url", exchange.Url.AbsoluteUri },
            { "license_key", Json.Text(body, "license_key") },
            { "nonce", Json.Text(body, "nonce") },
            { "personal", body.ContainsKey("client") || body.ContainsKey("customer") },
            { "verified", exchange.Verify },
            { "previous_license_key", Json.Text(body, "previous_license_key") },
            { "trial", body.ContainsKey("trial") },
        };
        foreach (string name in new[] { "activation_code", "customer" }.Where(body.ContainsKey))
        {
            request.Add(name, body[name]);
        }
        return request;
    }

    private static Reply Answer(Dictionary<string, object> answer)
    {
        if (answer == null)
        {
            throw new WebException("unreachable", WebExceptionStatus.ConnectFailure);
        }
        if (answer.ContainsKey("tls"))
        {
            throw new UntrustedCertificate((string)answer["tls"]);
        }
        return new Reply
        {
            Status = (int)(long)answer["status"],
            Location = Json.Text(answer, "location"),
            Body = answer.ContainsKey("body_base64") ? Convert.FromBase64String((string)answer["body_base64"])
                : Encoding.UTF8.GetBytes((string)answer["body"]),
        };
    }

    private static Dictionary<string, object> CheckOnline(string[] arguments)
    {
        double seconds = double.Parse(arguments[1], CultureInfo.InvariantCulture);
        string[] servers = arguments[0].Split(',');
        IEnumerable<string> keys = arguments.Length > 3 ? arguments.Skip(3) : null;
        var client = servers.Length > 1 ? new LicenseClient(servers, seconds, keys, arguments[2])
            : new LicenseClient(servers[0], seconds, keys, arguments[2]);
        client.MachineId = "0a:1b:2c:3d:4e:5f";
        LicenseResult result = client.CheckAsync("Tool_A", refresh: true).Result;
        return new Dictionary<string, object>
        {
            { "valid", result.Valid },
            { "code", result.Code },
            { "source", result.Source },
            { "message", result.Message },
            { "machine_id", result.LicenseKey },
            { "expires", result.Expires },
            { "days_left", (long?)result.DaysLeft },
            { "diagnostic", result.Diagnostic() },
        };
    }

    private static Dictionary<string, object> AskOnline(Dictionary<string, object> line)
    {
        var client = new LicenseClient((string)line["url"], 60, new[] { (string)line["key"] }, (string)line["folder"]);
        client.MachineId = (string)line["machine"];
        if (Json.Text(line, "action") == "offline_request")
        {
            return new Dictionary<string, object>
            {
                { "request", client.OfflineRequest("Tool_A") },
                { "link", client.OfflineUrl("Tool_A") },
            };
        }
        LicenseResult result = Ask(client, line);
        return new Dictionary<string, object>
        {
            { "code", result.Code },
            { "source", result.Source },
            { "reason", result.Reason },
            { "message", result.Message },
            { "edition", result.Edition },
            { "features", result.Features.Cast<object>().ToList() },
            { "data", result.Data },
            { "has", result.Has("export") },
            { "update", result.UpdateAvailable("2.9") },
            { "covers", result.Covers(new DateTime(2027, 7, 1)) },
            { "trial", result.IsTrial },
        };
    }

    /// <summary>The machine IDs of a computer with Windows; "adapters" are as in tests/python/hardware_changes.json.</summary>
    private static Dictionary<string, object> Choose(Dictionary<string, object> computer)
    {
        var adapters = new List<Machine.Adapter>();
        foreach (Dictionary<string, object> adapter in List(computer["adapters"]))
        {
            string[] pairs = ((string)adapter["permanent"]).Split(':');
            adapters.Add(Machine.NewWindowsAdapter(pairs.Select(pair => Convert.ToByte(pair, 16)).ToArray(),
                (string)adapter["description"], (string)adapter["type"] == "wifi", (bool)adapter["hardware"],
                (string)adapter["instance"], id => List(adapter["parents"]).Cast<string>()));
        }
        MachineIds ids = Machine.Choose(adapters, (string)computer["system_id"], false);
        return new Dictionary<string, object>
        {
            { "earlier", ids.Earlier },
            { "preferred", ids.Preferred },
            { "all", ids.All.OrderBy(id => id, StringComparer.Ordinal).Cast<object>().ToList() },
        };
    }

    private static Dictionary<string, object> Object(object value)
    {
        return (Dictionary<string, object>)value;
    }

    private static List<object> List(object value)
    {
        return (List<object>)value;
    }
}
