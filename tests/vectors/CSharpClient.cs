// Runs static/LicenseClient.cs, with which it is compiled, on one vector from standard input, and writes the result to
// standard output; with --lines, on one vector per line, with one result per line. A vector may name a "folder" for the
// lease, which is not deleted. With other arguments it checks with a server instead, without keys by a plain check:
//
//     CSharpClient.exe SERVER TIMEOUT CACHE_DIR [KEY ...]

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net;
using System.Text;
using Licensing;

internal static class CSharpClient
{
    private const string ServerUrl = "https://license.example/licenseserver";

    private static int Main(string[] arguments)
    {
        using (Stream output = Console.OpenStandardOutput())
        {
            if (arguments.Length == 1 && arguments[0] == "--lines")
            {
                var lines = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
                for (string line = lines.ReadLine(); line != null; line = lines.ReadLine())
                {
                    Write(output, RunVector(Encoding.UTF8.GetBytes(line)));
                    output.WriteByte((byte)'\n');
                }
                return 0;
            }
            Write(output, arguments.Length == 0 ? RunVector(ReadInput()) : CheckOnline(arguments));
        }
        return 0;
    }

    private static void Write(Stream output, Dictionary<string, object> result)
    {
        byte[] json = Json.Write(result);
        output.Write(json, 0, json.Length);
    }

    private static byte[] ReadInput()
    {
        var input = new MemoryStream();
        Console.OpenStandardInput().CopyTo(input);
        return input.ToArray();
    }

    private static Dictionary<string, object> RunVector(byte[] text)
    {
        var vector = Object(Json.Parse(text));
        if (vector == null)
        {
            throw new FormatException("the vector is not JSON");
        }
        var keys = new List<string>();
        foreach (object jwk in (List<object>)vector["keys"])
        {
            keys.Add(Encoding.UTF8.GetString(Json.Write(jwk)));
        }
        string tool = (string)vector["tool_name"], machine = (string)vector["license_key"];
        bool keepsFolder = vector.ContainsKey("folder");
        string folder = keepsFolder ? (string)vector["folder"]
            : Path.Combine(Path.GetTempPath(), "license-client-" + Guid.NewGuid().ToString("N"));
        string file = Path.Combine(folder, Machine.Hex(Crypto.Sha256(Encoding.UTF8.GetBytes(
            ServerUrl + "\n" + tool + "\n" + machine)), "") + ".json");
        try
        {
            var cache = Object(vector["cache"]);
            if (cache != null)
            {
                Directory.CreateDirectory(folder);
                byte[] content = cache.ContainsKey("text") ? Encoding.UTF8.GetBytes((string)cache["text"]) : Json.Write(cache);
                File.WriteAllBytes(file, content);
            }
            return Check(vector, keys, tool, machine, folder);
        }
        finally
        {
            if (!keepsFolder && Directory.Exists(folder))
            {
                Directory.Delete(folder, true);
            }
        }
    }

    private static Dictionary<string, object> Check(Dictionary<string, object> vector, List<string> keys, string tool,
        string machine, string folder)
    {
        int requests = 0;
        var answer = Object(vector["answer"]);
        var client = new LicenseClient(ServerUrl, 5.0, keys, folder) { MachineId = machine };
        client.Clock = () => (long)vector["now"];
        client.Nonce = () => (string)vector["nonce"];
        client.Transport = request =>
        {
            requests++;
            if (answer == null)
            {
                throw new WebException("unreachable", WebExceptionStatus.ConnectFailure);
            }
            return new LicenseClient.Reply
            {
                Status = (int)(long)answer["status"],
                Body = Encoding.UTF8.GetBytes((string)answer["body"]),
            };
        };
        // Vectors have no background refresh; a test may request one, which runs at once.
        client.InBackground = refresh =>
        {
            if (vector.ContainsKey("background"))
            {
                Machine.Attempt(() => { refresh(); return true; }, false);
            }
        };
        LicenseResult result = client.Check(tool, (bool)vector["refresh"]);
        if (requests != ((bool)vector["asks"] ? 1 : 0))
        {
            throw new InvalidOperationException(requests.ToString(CultureInfo.InvariantCulture) + " requests");
        }
        StoredLease stored = new LeaseStore(folder, ServerUrl, tool, machine).Read();
        return new Dictionary<string, object>
        {
            { "valid", result.Valid },
            { "code", result.Code },
            { "source", result.Source },
            { "cache", stored.HighestIat == null ? null : new Dictionary<string, object>
                {
                    { "token", stored.Token },
                    { "highest_iat", stored.HighestIat.Value },
                }
            },
        };
    }

    private static Dictionary<string, object> CheckOnline(string[] arguments)
    {
        var keys = new List<string>(arguments);
        keys.RemoveRange(0, 3);
        double seconds = double.Parse(arguments[1], CultureInfo.InvariantCulture);
        var client = new LicenseClient(arguments[0], seconds, keys.Count == 0 ? null : keys, arguments[2])
        {
            MachineId = "0a:1b:2c:3d:4e:5f",
        };
        LicenseResult result = client.Check("Tool_A");
        return new Dictionary<string, object>
        {
            { "valid", result.Valid },
            { "code", result.Code },
            { "source", result.Source },
            { "message", result.Message },
            { "expires", result.Expires },
            { "days_left", (long?)result.DaysLeft },
            { "diagnostic", result.Diagnostic() },
        };
    }

    private static Dictionary<string, object> Object(object value)
    {
        return value as Dictionary<string, object>;
    }
}
