// Checks with a license server, when a program starts, whether this computer may run it.
//
// Add this one file to your project (.NET Framework 4.7.2, or .NET 6 and later; C# 6; nothing to install), or reference
// LicenseClient.csproj, and check before the main window opens. A .NET Framework project must reference System.Net.Http
// and System.Numerics, which come with the framework; a .NET project needs no references.
//
//     using Licensing;
//
//     var client = new LicenseClient("https://example.com/licenseserver",
//         publicKeys: new[] { "<x>.<y> of the current key", "<x>.<y> of the next key" });
//     LicenseResult license = client.Check("YourToolName");  // or: await client.CheckAsync("YourToolName")
//     if (!license.Valid)
//     {
//         MessageBox.Show(license.Message);  // written for your customer
//         return;
//     }
//
// With public keys, the server's answers are signed and verified, and a good one is kept as a lease: the program
// can start on it while the server is unreachable. Without keys the client sends a plain check, and anyone who
// controls the network can fake the answer. Put at least two keys into the program, the current one and the next,
// and never fetch them at run time.
//
// When a customer calls, license.Diagnostic() is one text to copy, without secrets, and
// client.GetMachineId("YourToolName") is the license key that the vendor enters in the dashboard.

#if !__MonoCS__
// Your project's analyzers have nothing to say here. Mono's compiler, which the tests use, reports every warning.
#pragma warning disable
#endif

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Numerics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
#if NET6_0_OR_GREATER
using System.Diagnostics.CodeAnalysis;
#endif

namespace Licensing
{
    using Licensing.Internals;

    /// <summary>The result of a check, and where it came from.</summary>
    public sealed class LicenseResult
    {
        private readonly Func<string> diagnostic;

        internal LicenseResult(Func<string> diagnostic)
        {
            this.diagnostic = diagnostic;
        }

        /// <summary>Whether this computer may run the tool.</summary>
        public bool Valid { get; internal set; }

        /// <summary>VALID, IN_GRACE or TRIAL; EXPIRED, SUSPENDED, REVOKED or NOT_FOUND; or NO_ANSWER, which is not a
        /// refusal. Of an activation code or an offline file also REFUSED or REMOVED.</summary>
        public string Code { get; internal set; }

        /// <summary>Why an activation code or an offline file was refused, such as SEATS_IN_USE; otherwise null.</summary>
        [MaybeNull]
        public string Reason { get; internal set; }

        /// <summary>A message for the customer.</summary>
        public string Message { get; internal set; }

        /// <summary>The expiration date as yyyy-MM-dd; null for a perpetual license, or if it is not known.</summary>
        [MaybeNull]
        public string Expires { get; internal set; }

        /// <summary>Days until then by this computer's calendar, 0 on the expiration date and later; null if Expires
        /// is.</summary>
        public int? DaysLeft { get; internal set; }

        /// <summary>"server", "lease" or "none".</summary>
        public string Source { get; internal set; }

        /// <summary>The machine ID that this result is for; null if there was nothing to ask with.</summary>
        [MaybeNull]
        public string LicenseKey { get; internal set; }

        /// <summary>Whether the tool may run because of a trial.</summary>
        public bool IsTrial => Code == "TRIAL";

        /// <summary>The edition, as the vendor has set it for the license; like all that follows null or empty if it is not
        /// set, and only from signed answers.</summary>
        [MaybeNull]
        public string Edition => Terms.Text(Claims, "edition", Terms.MaxName);

        /// <summary>The names of the features of the license.</summary>
        public IReadOnlyList<string> Features => Terms.Names(Claims, "features");

        /// <summary>A text for the program.</summary>
        [MaybeNull]
        public string Data => Terms.Text(Claims, "data", Terms.MaxData);

        /// <summary>The last day whose updates the license covers, as yyyy-MM-dd.</summary>
        [MaybeNull]
        public string UpdatesUntil => Terms.Day(Json.Text(Claims, "updates_until")) == null ? null
            : Json.Text(Claims, "updates_until");

        /// <summary>The latest version of the tool.</summary>
        [MaybeNull]
        public string LatestVersion => Terms.Text(Claims, "latest_version");

        /// <summary>The web address where the vendor offers it.</summary>
        [MaybeNull]
        public string LatestUrl => Terms.WebAddress(Claims, "latest_url");

        /// <summary>The oldest version that the vendor still wants to run.</summary>
        [MaybeNull]
        public string MinimumVersion => Terms.Text(Claims, "minimum_version");

        [MaybeNull]
        internal Dictionary<string, object> Claims { get; set; }

        /// <summary>Whether the license is valid and has this feature.</summary>
        public bool Has(string feature) => Valid && Features.Contains(feature);

        /// <summary>Whether this version of your program is older than the latest one.</summary>
        /// <remarks>Versions are numbers, compared one after the other: 1.10 is newer than 1.9, and 2 is 2.0.0. What follows
        /// a hyphen makes a pre-release, which is older: 2.0-beta2, 2.0-beta10, 2.0-rc1, 2.0. A leading "v", and "+" with
        /// what follows it, are ignored. Any other text is neither older nor newer.</remarks>
        public bool UpdateAvailable(string myVersion) => Terms.IsOlder(myVersion, LatestVersion);

        /// <summary>Whether this version of your program is older than the oldest one that the vendor still wants to
        /// run.</summary>
        public bool IsBelowMinimum(string myVersion) => Terms.IsOlder(myVersion, MinimumVersion);

        /// <summary>Whether the license covers a version that was built on this day, such as "2027-12-31". Without a last
        /// day for updates it covers every version.</summary>
        public bool Covers(string buildDate) => UpdatesUntil == null || Terms.Day(buildDate) <= Terms.Day(UpdatesUntil);

        /// <summary>The same for a date.</summary>
        public bool Covers(DateTime buildDate) => Covers(buildDate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));

        /// <summary>A text to copy into a mail to the vendor; it contains no secrets.</summary>
        public string Diagnostic() => Machine.Attempt(diagnostic, "");
    }

    /// <summary>Checks licenses of this computer with a server; no method throws an exception.</summary>
    public sealed class LicenseClient
    {
        /// <summary>The version of this file.</summary>
        public const string Version = "1.2.0";

        private const double DefaultTimeout = 5.0;
        // What reading and writing the lease may add to the timeout.
        internal static readonly TimeSpan Overhead = TimeSpan.FromMilliseconds(300);
        // The minimum time between two background refreshes, and the maximum that an exiting program waits for one.
        private static readonly TimeSpan RefreshPause = TimeSpan.FromSeconds(60), RefreshExitWait = TimeSpan.FromSeconds(1);

        private static Task latestRefresh;
        private static int exitIsHooked;

        internal readonly List<string> ServerUrls;  // at least one
        internal readonly TimeSpan Timeout;  // of each
        internal readonly List<PublicKey> Keys;  // null: plain protocol
        internal readonly string KeyProblem;  // null: the keys are usable
        internal readonly HttpMessageHandler Handler;
        private readonly string cacheDir;
        private MachineIds machine, chosenMachine;  // found, or set by the vendor
        private readonly Dictionary<string, Stopwatch> lastRefresh = new Dictionary<string, Stopwatch>();  // by tool
        internal readonly Refusals Refusals = new Refusals();

        // Replaced by tests.
        internal Func<long> Clock = () => DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        internal Func<long?> Uptime = Machine.Uptime;
        internal Func<string> Nonce = NewNonce;
        internal Func<MachineIds> FindMachine = Machine.Find;
        internal Func<Exchange, CancellationToken, Task<Reply>> Send;
        internal Action<Func<Task>> InBackground = StartRefresh;

        /// <summary>For a server with one address.</summary>
        /// <param name="serverUrl">For example "https://example.com/licenseserver".</param>
        /// <param name="timeoutSeconds">The most that a check may take.</param>
        /// <param name="publicKeys">The server's public keys, each as "x.y", PEM or a JWK. Only null means plain checks:
        /// with an empty list or an unusable key, no license is valid.</param>
        /// <param name="cacheDir">The folder for leases; by default in the user's local application data or, on Linux,
        /// state.</param>
        /// <param name="handler">Sends the requests instead of the client's own handler, and is never disposed. Proxy and
        /// TLS are then its business, so nothing is asked again where a certificate cannot be verified. So are redirects
        /// that it follows itself: set AllowAutoRedirect to false, because a redirected POST would become a GET.</param>
        public LicenseClient(string serverUrl, double timeoutSeconds = DefaultTimeout,
            [AllowNull] IEnumerable<string> publicKeys = null, [AllowNull] string cacheDir = null,
            [AllowNull] HttpMessageHandler handler = null)
            : this(new[] { serverUrl }, timeoutSeconds, publicKeys, cacheDir, handler)
        {
        }

        /// <summary>For a server with several addresses: the next is asked only if there is no answer from the one before.
        /// Leases are stored under the first.</summary>
        /// <param name="serverUrls">For example the server's and its standby's.</param>
        /// <param name="timeoutSeconds">The most that each address may take.</param>
        /// <param name="publicKeys">As with one address, like the rest.</param>
        public LicenseClient(IEnumerable<string> serverUrls, double timeoutSeconds = DefaultTimeout,
            [AllowNull] IEnumerable<string> publicKeys = null, [AllowNull] string cacheDir = null,
            [AllowNull] HttpMessageHandler handler = null)
        {
            ServerUrls = (serverUrls ?? new string[0]).DefaultIfEmpty().Select(url => url ?? "").ToList();
            Handler = handler;
            Send = (exchange, cancel) => exchange.SendAsync(Handler, cancel);
            this.cacheDir = cacheDir;
            // Without a usable limit, the program's start could hang forever.
            bool usable = timeoutSeconds > 0 && timeoutSeconds <= 3600;
            Timeout = TimeSpan.FromSeconds(usable ? Math.Max(timeoutSeconds, 0.001) : DefaultTimeout);
            if (publicKeys == null)
            {
                return;
            }
            Keys = new List<PublicKey>();
            try
            {
                Keys.AddRange(publicKeys.Select(PublicKey.Parse));
                KeyProblem = Keys.Count == 0 ? "the list is empty" : null;
            }
            catch (Exception error)
            {
                KeyProblem = error is FormatException ? error.Message : error.GetType().Name;
            }
        }

        /// <summary>The license key of this computer, or "" if nothing identifies it. Setting it replaces what the client
        /// finds.</summary>
        public string MachineId
        {
            get { return Keys == null ? Ids().Earlier : Ids().Preferred; }
            set { chosenMachine = new MachineIds(value ?? "", value ?? "", new string[0]); }
        }

        /// <summary>The version of your program, shown to the vendor; by default that of the executable.</summary>
        [AllowNull, MaybeNull]
        public string ProgramVersion { get; set; }

        /// <summary>The customer's name, told to the vendor in signed checks and with activation codes.</summary>
        [AllowNull, MaybeNull]
        public string CustomerName { get; set; }

        /// <summary>The customer's e-mail address, likewise.</summary>
        [AllowNull, MaybeNull]
        public string CustomerEmail { get; set; }

        /// <summary>Whether to start a trial on a computer without a license, if the vendor offers one. Only with public
        /// keys; plain checks always do.</summary>
        public bool Trial { get; set; }

        /// <summary>The license key that a check of this tool uses on this computer: the one that last had a good result,
        /// or else <see cref="MachineId"/>.</summary>
        public string GetMachineId(string toolName)
        {
            Task<State> stored = Keys == null ? null : Machine.Attempt(() => Run(() => Task.FromResult(
                State.Remembered(Store(toolName).ReadAll(), Ids().All))), null);
            return Finishes(stored, Timeout) && stored.Result != null ? stored.Result.LicenseKey : MachineId;
        }

        /// <summary>A short code of this computer and tool, such as 7K4-PQ2, to read out on the telephone; the vendor's
        /// dashboard finds the license by it.</summary>
        public string MachineCode(string toolName) =>
            Machine.Attempt(() => Machine.Code(toolName, GetMachineId(toolName)), "");

        /// <summary>Returns whether this computer may run the tool.</summary>
        /// <param name="message">A message for the customer.</param>
        public bool CheckLicense(string toolName, out string message)
        {
            LicenseResult result = Check(toolName);
            message = result.Message;
            return result.Valid;
        }

        /// <summary>Returns whether this computer may run the tool, and why. Waits for it; in a program with windows,
        /// rather await <see cref="CheckAsync"/>.</summary>
        /// <param name="refresh">Asks the server even if a stored lease would do.</param>
        public LicenseResult Check(string toolName, bool refresh = false)
        {
            return Wait(toolName, () => CheckAsync(toolName, refresh));
        }

        /// <summary>Returns whether this computer may run the tool, and why.</summary>
        /// <param name="refresh">Asks the server even if a stored lease would do.</param>
        /// <param name="cancellationToken">Ends the check early, with the result NO_ANSWER and no exception.</param>
        public Task<LicenseResult> CheckAsync(string toolName, bool refresh = false,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            ConcludeAsync(toolName, cancellationToken, check => Keys == null ? check.PlainAsync() : check.SignedAsync(refresh));

        /// <summary>Lets this computer take a seat of the activation code that the customer has entered. The result is that
        /// of a check; if the code is refused, its Code is REFUSED, and it has a Reason.</summary>
        public LicenseResult Activate(string toolName, string activationCode) =>
            Wait(toolName, () => ActivateAsync(toolName, activationCode));

        /// <summary>The same, for programs with windows.</summary>
        public Task<LicenseResult> ActivateAsync(string toolName, string activationCode,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            ConcludeAsync(toolName, cancellationToken, check => check.ActivateAsync(activationCode ?? ""));

        /// <summary>Gives the seat of this computer back, for another computer. The result is never valid: its Code is
        /// REMOVED, or else REFUSED, with a Reason, or NO_ANSWER.</summary>
        public LicenseResult Deactivate(string toolName, string activationCode) =>
            Wait(toolName, () => DeactivateAsync(toolName, activationCode));

        /// <summary>The same, for programs with windows.</summary>
        public Task<LicenseResult> DeactivateAsync(string toolName, string activationCode,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            ConcludeAsync(toolName, cancellationToken, check => check.DeactivateAsync(activationCode ?? ""));

        /// <summary>What a computer without a network asks the vendor: a text to copy, which stays the same until the answer
        /// to it is imported. It is empty if there can be none: without public keys, a machine ID, or a folder to store it
        /// in.</summary>
        public string OfflineRequest(string toolName) =>
            string.Join(" ", Regex.Matches(OpenRequest(toolName), ".{1,8}").Cast<Match>().Select(group => group.Value));

        /// <summary>The same as an address of the vendor's claim page, for a link or a QR code; or empty.</summary>
        public string OfflineUrl(string toolName)
        {
            string request = OpenRequest(toolName);
            return request.Length == 0 ? "" : Machine.Attempt(() =>
                Internals.Check.ApiUrl(ServerUrls[0], "/claim").AbsoluteUri + "?request=" + request, "");
        }

        private string OpenRequest(string toolName)
        {
            Task<string> opening = Machine.Attempt(() => Run(async () =>
            {
                using (var check = new Check(this, toolName, CancellationToken.None))
                {
                    return await check.OpenRequestAsync().ConfigureAwait(false);
                }
            }), null);
            return Finishes(opening, Timeout + Overhead + Overhead) ? opening.Result : "";
        }

        /// <summary>Stores an offline file, which is the vendor's answer to the request. The result is that of a check; if
        /// the file is refused, its Code is REFUSED, and it has a Reason.</summary>
        /// <param name="text">The content of the file, or a text that contains it.</param>
        public LicenseResult ImportLease(string toolName, string text) =>
            Wait(toolName, () => ImportLeaseAsync(toolName, text));

        /// <summary>The same, for programs with windows.</summary>
        public Task<LicenseResult> ImportLeaseAsync(string toolName, string text,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            ConcludeAsync(toolName, cancellationToken, check => check.ImportAsync(text ?? ""));

        private LicenseResult Wait(string toolName, Func<Task<LicenseResult>> work)
        {
            // On another thread: one that waits, such as that of a window, could not also continue what it waits for.
            Task<LicenseResult> check = Machine.Attempt(() => Run(work), null);
            TimeSpan limit = TimeSpan.FromTicks(Timeout.Ticks * ServerUrls.Count) + Overhead + Overhead;
            return Finishes(check, limit) ? check.Result
                : new Check(this, toolName, CancellationToken.None).NoAnswer(new TimeoutException());
        }

        private async Task<LicenseResult> ConcludeAsync(string toolName, CancellationToken cancel,
            Func<Check, Task<LicenseResult>> work)
        {
            LicenseResult result;
            using (var check = new Check(this, toolName, cancel))
            {
                try
                {
                    result = await work(check).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    result = check.NoAnswer(error);
                }
            }
            if (!result.Valid)
            {
                machine = null;  // a better adapter's driver may start later than the program
            }
            return result;
        }

        internal MachineIds Ids()
        {
            MachineIds found = chosenMachine ?? machine ?? Machine.Attempt(FindMachine, MachineIds.None);
            // An adapter may be turned on later.
            machine = found.Preferred.Length > 0 ? found : null;
            return found;
        }

        internal StateStore Store(string toolName) => new StateStore(Folder(), ServerUrls[0], toolName);

        private string Folder()
        {
            if (!string.IsNullOrEmpty(cacheDir))
            {
                return cacheDir;
            }
            bool isWindowsOrMac = Environment.OSVersion.Platform == PlatformID.Win32NT ||
                RuntimeInformation.IsOSPlatform(OSPlatform.OSX);
            string data = isWindowsOrMac ? SystemFolder(Environment.SpecialFolder.LocalApplicationData)
                : Environment.GetEnvironmentVariable("XDG_STATE_HOME") ?? "";
            if (!isWindowsOrMac && !Path.IsPathRooted(data))
            {
                data = Path.Combine(SystemFolder(Environment.SpecialFolder.UserProfile), ".local/state");
            }
            return Path.IsPathRooted(data) ? Path.Combine(data, "license-client") : null;
        }

        private static string SystemFolder(Environment.SpecialFolder folder) =>
            Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);

        internal Dictionary<string, object> ClientInfo()
        {
            var info = new Dictionary<string, object>();
            AddIfKnown(info, "version", () => ProgramVersion ?? Assembly.GetEntryAssembly().GetName().Version.ToString());
            AddIfKnown(info, "hostname", () => Environment.MachineName);
            AddIfKnown(info, "user", () => Environment.UserName);
            return info;
        }

        /// <summary>What the vendor is told about the customer; empty for nothing.</summary>
        internal Dictionary<string, object> Customer()
        {
            var customer = new Dictionary<string, object>();
            AddIfKnown(customer, "name", () => CustomerName);
            AddIfKnown(customer, "email", () => CustomerEmail);
            return customer;
        }

        private static void AddIfKnown(Dictionary<string, object> info, string name, Func<string> find)
        {
            string text = Machine.Attempt(find, "") ?? "";
            string clean = new string(text.Where(c => !char.IsControl(c) && !char.IsSurrogate(c)).Take(100).ToArray());
            if (clean.Length > 0)
            {
                info.Add(name, clean);
            }
        }

        private static string NewNonce()
        {
            var bytes = new byte[24];
            using (RandomNumberGenerator random = RandomNumberGenerator.Create())
            {
                random.GetBytes(bytes);
            }
            return Base64Url.Encode(bytes);
        }

        // ---- Threads ----

        /// <summary>Runs the function on a thread of its own, which a full thread pool cannot delay.</summary>
        /// <remarks>DNS, proxy discovery and dead network drives ignore every time limit. An abandoned thread ends with
        /// its connection, or with the program.</remarks>
        internal static Task<T> Run<T>(Func<Task<T>> function) =>
            Task.Factory.StartNew(function, CancellationToken.None, TaskCreationOptions.LongRunning,
                TaskScheduler.Default).Unwrap();

        private static bool Finishes(Task task, TimeSpan limit) => Machine.Attempt(() => task.Wait(limit), false);

        internal bool IsRefreshDue(string toolName)
        {
            lock (lastRefresh)
            {
                Stopwatch last;
                if (lastRefresh.TryGetValue(toolName, out last) && last.Elapsed < RefreshPause)
                {
                    return false;
                }
                lastRefresh[toolName] = Stopwatch.StartNew();
                return true;
            }
        }

        private static void StartRefresh(Func<Task> refresh)
        {
            // That no thread can be started is no reason to refuse a good lease.
            latestRefresh = Machine.Attempt(() => Run(async () =>
            {
                try
                {
                    await refresh().ConfigureAwait(false);
                }
                catch (Exception)
                {
                    // Without an answer the lease stays, and the next start tries again.
                }
                return true;
            }), null);
            if (Interlocked.Exchange(ref exitIsHooked, 1) == 0)
            {
                // A program that exits at once would otherwise never renew its lease.
                AppDomain.CurrentDomain.ProcessExit += (sender, arguments) => Finishes(latestRefresh, RefreshExitWait);
            }
        }
    }
}

namespace Licensing.Internals
{
    // ---- One check ----

    internal sealed class Check : IDisposable
    {
        private readonly LicenseClient client;
        private readonly string tool;
        private readonly CancellationToken cancel;  // the vendor's
        private CancellationTokenSource limit;  // the vendor's, or the timeout
        private readonly Stopwatch elapsed = new Stopwatch();
        private readonly List<string> problems = new List<string>();  // of the addresses without an answer
        private Task<Opened> opening;
        private Opened opened = new Opened();
        private volatile MachineIds ids;  // known before the stored states are
        private string askedId;
        private volatile Exchange exchange;  // the latest
        private UntrustedCertificate untrusted;

        internal Check(LicenseClient client, string tool, CancellationToken cancel)
        {
            this.client = client;
            this.tool = tool;
            this.cancel = cancel;
            StartTimeout();
        }

        private void StartTimeout()
        {
            // The vendor's may have been disposed.
            limit = Machine.Attempt(() => CancellationTokenSource.CreateLinkedTokenSource(cancel),
                new CancellationTokenSource());
            limit.CancelAfter(client.Timeout);
            elapsed.Restart();
        }

        public void Dispose()
        {
            Machine.Attempt(() => { limit.Cancel(); return true; }, false);
            limit.Dispose();
        }

        private TimeSpan Left => client.Timeout - elapsed.Elapsed;

        /// <summary>Waits for the task no longer than this; abandoned, it may go on.</summary>
        private async Task<T> Within<T>(TimeSpan time, Task<T> task)
        {
            using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                Task delay = Task.Delay(time > TimeSpan.Zero ? time : TimeSpan.Zero, stop.Token);
                await Task.WhenAny(task, delay).ConfigureAwait(false);
                stop.Cancel();
            }
            if (!task.IsCompleted)
            {
                IgnoreException(task);
                cancel.ThrowIfCancellationRequested();
                throw new TimeoutException();
            }
            return await task.ConfigureAwait(false);
        }

        /// <summary>Otherwise the program's TaskScheduler.UnobservedTaskException might report it.</summary>
        private static void IgnoreException(Task abandoned)
        {
            abandoned.ContinueWith(task => task.Exception, TaskScheduler.Default);
        }

        /// <summary>The first answer. No answer from one address leaves the next the whole timeout.</summary>
        private async Task<T> FirstAnswerAsync<T>(string apiPath, Func<Uri, Task<T>> ask)
        {
            NoVerdict first = null;
            foreach (string server in client.ServerUrls)
            {
                if (first != null)
                {
                    Dispose();
                    StartTimeout();
                }
                try
                {
                    return await ask(ApiUrl(server, apiPath)).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    problems.Add(Words.Address(server) + ": " + Describe(error));
                    first = first ?? Explain(error);
                }
                if (cancel.IsCancellationRequested)
                {
                    break;
                }
            }
            throw first;
        }

        // ---- The plain protocol ----

        internal async Task<LicenseResult> PlainAsync()
        {
            await PreparePlainAsync().ConfigureAwait(false);
            byte[] request = Json.Write(new Dictionary<string, object>
            {
                { "tool_name", tool },
                { "license_key", askedId },
            });
            return await FirstAnswerAsync(StateStore.CheckPath, url => AskPlainAsync(url, request)).ConfigureAwait(false);
        }

        private async Task PreparePlainAsync()
        {
            RequireTool();
            ids = await Within(Left, LicenseClient.Run(() => Task.FromResult(client.Ids()))).ConfigureAwait(false);
            askedId = Known(ids.Earlier);
        }

        private async Task<LicenseResult> AskPlainAsync(Uri url, byte[] request)
        {
            return PlainResult(await SendAsync(url, personal => request).ConfigureAwait(false));
        }

        private LicenseResult PlainResult(Reply reply)
        {
            var answer = reply.Members();
            string status = Json.Text(answer, "status"), message = Json.Text(answer, "message"), code;
            // The status code alone is not a verdict: proxies also answer 200, 403 and 404.
            if (reply.Status == 200 && status == "valid")
            {
                code = "VALID";
            }
            else if ((reply.Status == 403 || reply.Status == 404) && message != null &&
                (status == "invalid" || status == "expired"))
            {
                code = status == "expired" ? "EXPIRED" : reply.Status == 404 ? "NOT_FOUND"
                    : message.Contains("'suspended'") ? "SUSPENDED" : "REVOKED";
            }
            else
            {
                throw reply.NoVerdict("");
            }
            return NewResult(code, message ?? "", "server", null);
        }

        // ---- The signed protocol ----

        private async Task PrepareSignedAsync()
        {
            RequireTool();
            if (client.KeyProblem != null)
            {
                throw new NoVerdict(Words.BadKeys, client.KeyProblem);
            }
            // A dead network drive leaves half of the time to ask the server.
            await OpenAsync(TimeSpan.FromTicks(client.Timeout.Ticks / 2)).ConfigureAwait(false);
            if (ids == null)
            {
                throw new TimeoutException();
            }
            askedId = Known(ids.Preferred);
        }

        internal async Task<LicenseResult> SignedAsync(bool refresh)
        {
            await PrepareSignedAsync().ConfigureAwait(false);
            SignedAnswer lease = opened.Lease;
            if (lease != null && !refresh)
            {
                if (!lease.IsFresh(client.Clock()) && client.IsRefreshDue(tool))
                {
                    State before = opened.Remembered;
                    client.InBackground(() => RefreshAsync(client, tool, before));
                }
                return ToResult(lease, "lease", null);
            }
            try
            {
                return ToResult(await FirstAnswerAsync(StateStore.CheckPath, AskAsync).ConfigureAwait(false), "server", null);
            }
            catch (Exception error)
            {
                // Again: another process may have changed the lease, and a slow disk may have answered by now.
                await OpenAsync(Left + LicenseClient.Overhead).ConfigureAwait(false);
                return opened.Lease == null ? NoAnswer(error) : ToResult(opened.Lease, "lease", error);
            }
        }

        private static async Task RefreshAsync(LicenseClient client, string tool, State state)
        {
            using (var check = new Check(client, tool, CancellationToken.None))
            {
                check.opened = new Opened { Remembered = state, States = new List<State> { state } };
                await check.FirstAnswerAsync(StateStore.CheckPath, check.AskAsync).ConfigureAwait(false);
            }
        }

        /// <summary>What is stored for this tool, and the lease if it can be used now.</summary>
        private sealed class Opened
        {
            internal List<State> States = new List<State>();
            internal State Remembered;  // that of this computer's ID that last had a good result
            internal SignedAnswer Lease;
            internal string Description = "none";
            internal string PreviousId;  // where no ID of this computer is remembered
        }

        private async Task OpenAsync(TimeSpan time)
        {
            if (opening == null || opening.IsCompleted)
            {
                opening = LicenseClient.Run(() => Task.FromResult(Open()));
            }
            try
            {
                opened = await Within(time, opening).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // As if nothing were stored.
            }
        }

        private Opened Open()
        {
            ids = client.Ids();
            var found = new Opened { States = client.Store(tool).Open(ids.All, client.Clock, client.Uptime) };
            found.Remembered = State.Remembered(found.States, ids.All);
            State previous = found.Remembered == null ? State.Newest(found.States) : null;
            found.PreviousId = previous == null ? null : previous.LicenseKey;
            if (found.Remembered != null)
            {
                found.Lease = UsableLease(found.Remembered, client.Clock(), out found.Description);
            }
            return found;
        }

        private SignedAnswer UsableLease(State state, long now, out string description)
        {
            if (state.Token == null)
            {
                description = state.Allowance == 0 && now < state.Mark ? Words.ClockWasSetBack : "none";
                return null;
            }
            SignedAnswer lease = SignedAnswer.Verify(state.Token, client.Keys, tool, state.LicenseKey, null);
            if (lease == null)
            {
                description = "not signed for this tool and computer";
                return null;
            }
            SignedAnswer refusal = client.Refusals.Find(tool, state.LicenseKey);
            if (!lease.IsGood || (refusal != null && lease.IssuedAt <= refusal.IssuedAt))
            {
                description = "withdrawn";
                return null;
            }
            description = "until " + Words.Time(lease.ExpiresAt) + (now < lease.ExpiresAt ? "" : ", expired");
            return now < lease.ExpiresAt ? lease : null;
        }

        /// <summary>The server's verdict; throws if there is no signed one.</summary>
        private async Task<SignedAnswer> AskAsync(Uri url)
        {
            try
            {
                if (opened.Remembered != null)
                {
                    return await AskAsync(url, opened.Remembered.LicenseKey, true).ConfigureAwait(false);
                }
                // The vendor knows a customer of an earlier version by that version's ID.
                bool isLast = ids.Earlier == ids.Preferred;
                SignedAnswer first = await AskAsync(url, ids.Earlier, isLast).ConfigureAwait(false);
                if (first.IsGood || isLast)
                {
                    return first;
                }
                SignedAnswer second = await AskAsync(url, ids.Preferred, true).ConfigureAwait(false);
                return second.IsGood || first.Code == "NOT_FOUND" ? second : first;
            }
            catch (Exception error) when (untrusted != null && error != untrusted)
            {
                throw new UntrustedCertificate(untrusted.Problem, error);
            }
        }

        private async Task<SignedAnswer> AskAsync(Uri url, string id, bool isLast)
        {
            askedId = id;
            untrusted = null;
            string nonce = client.Nonce();
            SignedAnswer refusalBefore = client.Refusals.Find(tool, id);
            Reply reply = await SendAsync(url, personal => WriteRequest(id, nonce, personal, isLast)).ConfigureAwait(false);
            return await AcceptAsync(reply, id, nonce, refusalBefore).ConfigureAwait(false);
        }

        /// <summary>The signed answer in this reply, which is stored.</summary>
        private async Task<SignedAnswer> AcceptAsync(Reply reply, string id, string nonce, SignedAnswer refusalBefore)
        {
            // The HTTP status and the unsigned fields are not trusted, so they are ignored.
            string token = Json.Text(reply.Members(), "token");
            if (token == null)
            {
                throw reply.NoVerdict(" without a signed answer");
            }
            SignedAnswer answer = SignedAnswer.Verify(token, client.Keys, tool, id, nonce);
            if (answer == null)
            {
                throw reply.NoVerdict(" with an answer that is not signed for this check");
            }
            client.Refusals.Record(tool, id, answer, refusalBefore);
            opened.Description = answer.IsGood ? "until " + Words.Time(answer.ExpiresAt) : "none";
            await SaveAsync(answer, id, opened.States.Find(state => state.LicenseKey == id)).ConfigureAwait(false);
            return answer;
        }

        private byte[] WriteRequest(string id, string nonce, bool isPersonal, bool isLast)
        {
            var request = new Dictionary<string, object>
            {
                { "tool_name", tool },
                { "license_key", id },
                { "nonce", nonce },
                { "kids", Kids() },
            };
            if (isPersonal)
            {
                AddPersonal(request);
            }
            if (opened.PreviousId != null)
            {
                request.Add("previous_license_key", opened.PreviousId);
            }
            if (isLast && client.Trial)
            {
                request.Add("trial", true);
            }
            return Json.Write(request);
        }

        /// <remarks>The server reads no more of them.</remarks>
        private List<object> Kids() => client.Keys.Take(32).Select(key => (object)key.Kid).ToList();

        private void AddPersonal(Dictionary<string, object> request)
        {
            request.Add("client", client.ClientInfo());
            Dictionary<string, object> customer = client.Customer();
            if (customer.Count > 0)
            {
                request.Add("customer", customer);
            }
        }

        private async Task SaveAsync(SignedAnswer answer, string id, State before)
        {
            Task<State> saving = LicenseClient.Run(() => Task.FromResult(
                client.Store(tool).Save(answer, id, before, client.Uptime)));
            try
            {
                // A slow disk must not turn an answer into a timeout, and where reading hangs, so will writing.
                bool isHanging = opening != null && !opening.IsCompleted;
                TimeSpan time = isHanging || Left < LicenseClient.Overhead ? LicenseClient.Overhead : Left;
                State saved = await Within(time, saving).ConfigureAwait(false);
                if (saved != null)
                {
                    // Another address may be asked with the same ID.
                    opened.States.Remove(before);
                    opened.States.Add(saved);
                }
            }
            catch (Exception)
            {
                // It counts all the same.
            }
        }

        // ---- Activation codes ----

        internal async Task<LicenseResult> ActivateAsync(string code)
        {
            await PrepareForCodeAsync().ConfigureAwait(false);
            return await FirstAnswerAsync("/api/activate", url => ActivateAsync(url, code)).ConfigureAwait(false);
        }

        internal async Task<LicenseResult> DeactivateAsync(string code)
        {
            await PrepareForCodeAsync().ConfigureAwait(false);
            return await FirstAnswerAsync("/api/deactivate", url => DeactivateAsync(url, code)).ConfigureAwait(false);
        }

        /// <summary>One machine ID takes the seat: the one that was good last, or else the one that changes least.</summary>
        private async Task PrepareForCodeAsync()
        {
            await (client.Keys == null ? PreparePlainAsync() : PrepareSignedAsync()).ConfigureAwait(false);
            if (opened.Remembered != null)
            {
                askedId = opened.Remembered.LicenseKey;
            }
        }

        private async Task<LicenseResult> ActivateAsync(Uri url, string code)
        {
            Dictionary<string, object> request = RequestWith(code);
            string nonce = client.Keys == null ? null : client.Nonce();
            SignedAnswer refusalBefore = client.Refusals.Find(tool, askedId);
            if (nonce != null)
            {
                request.Add("nonce", nonce);
                request.Add("kids", Kids());
            }
            AddPersonal(request);
            Reply reply = await SendCodeAsync(url, Json.Write(request)).ConfigureAwait(false);
            if (reply.Reason() != null)
            {
                return Refused(reply);
            }
            return nonce == null ? PlainResult(reply)
                : ToResult(await AcceptAsync(reply, askedId, nonce, refusalBefore).ConfigureAwait(false), "server", null);
        }

        private async Task<LicenseResult> DeactivateAsync(Uri url, string code)
        {
            Reply reply = await SendCodeAsync(url, Json.Write(RequestWith(code))).ConfigureAwait(false);
            if (reply.Reason() != null)
            {
                return Refused(reply);
            }
            var answer = reply.Members();
            if (reply.Status != 200 || Json.Text(answer, "status") != "success")
            {
                throw reply.NoVerdict("");
            }
            if (client.Keys != null)
            {
                long now = client.Clock();
                SignedAnswer removal = SignedAnswer.Removal(opened.Lease == null ? now : Math.Max(now, opened.Lease.IssuedAt));
                client.Refusals.Record(tool, askedId, removal, null);
                opened.Description = "none";
                await SaveAsync(removal, askedId, opened.Remembered).ConfigureAwait(false);
            }
            return NewResult("REMOVED", Json.Text(answer, "message") ?? "", "server", null);
        }

        private LicenseResult Refused(Reply reply) =>
            NewResult("REFUSED", Json.Text(reply.Members(), "message") ?? "", "server", null, reply.Reason());

        private Dictionary<string, object> RequestWith(string code)
        {
            return new Dictionary<string, object>
            {
                { "tool_name", tool },
                { "activation_code", code.Length > 255 ? code.Substring(0, 255) : code },
                { "license_key", askedId },
            };
        }

        /// <summary>Sends an activation code, which whoever reads it could use: only to this server, and never where its
        /// certificate cannot be verified.</summary>
        private async Task<Reply> SendCodeAsync(Uri configured, byte[] body)
        {
            Uri url = configured;
            for (int i = 0; i <= MaxRedirects; i++)
            {
                Reply reply = await ExchangeAsync(url, body, true).ConfigureAwait(false);
                if (!reply.IsRedirect)
                {
                    return reply;
                }
                url = RedirectTarget(configured, url, reply.Location, true);
                if (url.Scheme != "https" || url.IdnHost != configured.IdnHost || Port(url) != Port(configured))
                {
                    throw ForbiddenRedirect(url);
                }
            }
            throw TooManyRedirects(url);
        }

        // ---- Machines that are never online ----

        /// <summary>In base64url, or empty.</summary>
        internal async Task<string> OpenRequestAsync()
        {
            RequireKeys();
            await PrepareForCodeAsync().ConfigureAwait(false);
            string nonce = await Within(Left + LicenseClient.Overhead, LicenseClient.Run(() => Task.FromResult(
                client.Store(tool).OpenRequest(askedId, client.Nonce)))).ConfigureAwait(false);
            return nonce == null ? "" : Base64Url.Encode(Json.Write(new Dictionary<string, object>
            {
                { "tool_name", tool },
                { "license_key", askedId },
                { "nonce", nonce },
                { "kids", Kids() },
            }));
        }

        internal async Task<LicenseResult> ImportAsync(string text)
        {
            RequireKeys();
            await PrepareForCodeAsync().ConfigureAwait(false);
            string token = SignedAnswer.FindIn(text);
            if (token == null)
            {
                return RefusedFile("NO_OFFLINE_FILE", 0);
            }
            SignedAnswer file = SignedAnswer.Verify(token, client.Keys, null, null, null);
            if (file == null)
            {
                return RefusedFile("BAD_SIGNATURE", 0);
            }
            if (Json.Text(file.Claims, "aud") != tool)
            {
                return RefusedFile("OTHER_TOOL", 0);
            }
            if (file.LicenseKey == null || !ids.All.Contains(file.LicenseKey))
            {
                return RefusedFile("OTHER_MACHINE", 0);
            }
            askedId = file.LicenseKey;
            if (opened.Lease != null && opened.Lease.Token == token)
            {
                return ToResult(opened.Lease, "lease", null);  // a second time, which must not set the clock back
            }
            if (file.IsGood && file.ExpiresAt <= client.Clock())
            {
                return RefusedFile("FILE_EXPIRED", file.ExpiresAt);
            }
            string nonce = await Within(Left, LicenseClient.Run(() => Task.FromResult(
                client.Store(tool).ReadRequest(askedId)))).ConfigureAwait(false);
            if (nonce == null || Json.Text(file.Claims, "nonce") != nonce)
            {
                return RefusedFile("OTHER_REQUEST", 0);
            }
            if (!file.IsGood)
            {
                return NewResult("REFUSED", file.Message, "none", null, file.Code);
            }
            if (file.IssuedAt > client.Clock() + State.FullAllowance)
            {
                return RefusedFile("CLOCK_BEHIND", file.IssuedAt);
            }
            client.Refusals.Record(tool, askedId, file, client.Refusals.Find(tool, askedId));
            bool isStored = await Within(Left + LicenseClient.Overhead, LicenseClient.Run(() => Task.FromResult(
                Machine.Attempt(() => SaveFile(file), false)))).ConfigureAwait(false);
            if (!isStored)
            {
                return RefusedFile("NOT_STORED", 0);
            }
            opened.Description = "until " + Words.Time(file.ExpiresAt);
            return ToResult(file, "lease", null);
        }

        private bool SaveFile(SignedAnswer file)
        {
            StateStore store = client.Store(tool);
            store.Save(file, file.LicenseKey, store.Find(file.LicenseKey), client.Uptime);
            State stored = store.Find(file.LicenseKey);
            if (stored == null || stored.Token != file.Token)
            {
                return false;
            }
            store.CloseRequest(file.LicenseKey);
            return true;
        }

        private LicenseResult RefusedFile(string reason, long moment)
        {
            string message = string.Format(CultureInfo.InvariantCulture, Words.OfflineFile[reason], Words.Time(moment),
                Words.Time(client.Clock()));
            return NewResult("REFUSED", message, "none", null, reason);
        }

        private void RequireKeys()
        {
            if (client.Keys == null)
            {
                throw new NoVerdict(Words.BadKeys, "there are none");
            }
        }

        // ---- Results ----

        private LicenseResult NewResult(string code, string message, string source, Exception error, string reason = null)
        {
            return new LicenseResult(Diagnostic(reason == null ? code : code + " (" + reason + ")", source, error))
            {
                Reason = reason,
                Valid = Array.IndexOf(SignedAnswer.GoodCodes, code) >= 0,
                Code = code,
                Message = message,
                Source = source,
                LicenseKey = askedId,
            };
        }

        private LicenseResult ToResult(SignedAnswer answer, string source, Exception error)
        {
            askedId = answer.LicenseKey;
            LicenseResult result = NewResult(answer.Code, answer.Message, source, error);
            result.Claims = answer.Claims;
            DateTime date;
            if (answer.ExpirationDate != null && DateTime.TryParseExact(answer.ExpirationDate, "yyyy-MM-dd",
                CultureInfo.InvariantCulture, DateTimeStyles.None, out date))
            {
                // Online, the server's clock decides what day it is: this computer's may be wrong.
                DateTime now = Words.FromUnixTime(source == "server" ? answer.IssuedAt : client.Clock()).ToLocalTime();
                result.Expires = answer.ExpirationDate;
                result.DaysLeft = (int)Math.Max(0, (date - now.Date).TotalDays);
            }
            return result;
        }

        internal LicenseResult NoAnswer(Exception error)
        {
            NoVerdict verdict = Explain(error);
            string message = string.Format(CultureInfo.InvariantCulture, verdict.Template,
                Words.Address(client.ServerUrls[0]), verdict.Reason);
            bool clockIsWrong = opened.Description == Words.ClockWasSetBack;
            return NewResult("NO_ANSWER", clockIsWrong ? message + Words.ClockHint : message, "none", error);
        }

        /// <summary>Returns a function that writes the diagnostic text, which is rarely needed.</summary>
        private Func<string> Diagnostic(string code, string source, Exception error)
        {
            long now = client.Clock();
            string reason = client.ServerUrls.Count > 1 && problems.Count > 0 ? string.Join("; ", problems)
                : error == null ? "-" : Describe(error);
            return () =>
            {
                string id = askedId ?? client.MachineId;
                List<PublicKey> keys = client.Keys;
                var lines = new List<string>
                {
                    "client: LicenseClient.cs " + LicenseClient.Version + ", .NET " + Environment.Version + ", " +
                        Environment.OSVersion,
                    "tool: " + tool + " " + client.ProgramVersion,
                    "server: " + string.Join(", ", client.ServerUrls.Select(Words.Address)),
                    "machine ID: ..." + id.Substring(Math.Max(0, id.Length - 4)),
                    "machine code: " + Machine.Code(tool, id),
                    "code: " + code,
                    "source: " + source,
                    "keys: " + (client.KeyProblem ??
                        (keys == null ? "none, plain check" : string.Join(", ", keys.Select(key => key.Kid)))),
                    "lease: " + opened.Description,
                    "clock: " + Words.Time(now),
                    "no answer: " + reason,
                };
                if (opened.PreviousId != null)
                {
                    lines.Add("machine ID changed: from " + opened.PreviousId + " to " + id);
                }
                return string.Join(Environment.NewLine, lines.Select(line => Regex.Replace(line, @"\p{C}", " ").Trim()));
            };
        }

        // ---- Errors ----

        private NoVerdict Explain(Exception error)
        {
            string proxy = exchange == null ? null : exchange.Proxy;
            string reason = "no connection";
            // Frameworks wrap the cause differently, so every layer is examined, the innermost last.
            for (Exception e = error; e != null; e = e.InnerException)
            {
                if (e is NoVerdict)
                {
                    return (NoVerdict)e;
                }
                if (e is UntrustedCertificate)
                {
                    return new NoVerdict(Words.Untrusted, string.Format(CultureInfo.InvariantCulture,
                        ((UntrustedCertificate)e).Problem, Words.FromUnixTime(client.Clock()).ToLocalTime()), error);
                }
                var web = e as WebException;
                var socket = e as SocketException;
                if (proxy != null && Regex.IsMatch(e.Message, @"\b407\b"))
                {
                    return new NoVerdict(Words.ProxySignIn, Words.WantsSignIn, error);
                }
                if (e is OperationCanceledException || e is TimeoutException ||
                    (web != null && web.Status == WebExceptionStatus.Timeout) ||
                    (socket != null && socket.SocketErrorCode == SocketError.TimedOut))
                {
                    reason = cancel.IsCancellationRequested ? "the check was canceled" : "no answer in time";
                }
                else if (e is AuthenticationException || (web != null &&
                    (web.Status == WebExceptionStatus.TrustFailure || web.Status == WebExceptionStatus.SecureChannelFailure)))
                {
                    reason = "no secure connection";
                }
                else if ((web != null && web.Status == WebExceptionStatus.NameResolutionFailure) || (socket != null &&
                    (socket.SocketErrorCode == SocketError.HostNotFound || socket.SocketErrorCode == SocketError.NoData ||
                    socket.SocketErrorCode == SocketError.TryAgain)))
                {
                    reason = "the host name was not found";
                }
                else if (socket != null && socket.SocketErrorCode == SocketError.ConnectionRefused)
                {
                    reason = "the connection was refused";
                }
                else if (web != null && web.Status == WebExceptionStatus.ServerProtocolViolation)
                {
                    return new NoVerdict(Words.NoResult, "not an HTTP response", error);
                }
            }
            return proxy == null ? new NoVerdict(Words.NoAnswer, reason, error)
                : new NoVerdict(Words.NoAnswerFromProxy, proxy + ", " + reason, error);
        }

        /// <summary>For the vendor: our reason, and the message of the innermost error.</summary>
        private string Describe(Exception error)
        {
            string reason = Explain(error).Reason;
            Exception innermost = error.GetBaseException();
            string message = innermost is NoVerdict ? innermost.Message : innermost.GetType().Name + ": " + innermost.Message;
            return message == reason ? reason : reason + "; " + message.Substring(0, Math.Min(message.Length, 200));
        }

        private static string Known(string id)
        {
            if (id.Length == 0)
            {
                throw new NoVerdict(Words.NoMachineId, "no machine ID");
            }
            return id;
        }

        // ---- The request ----

        private void RequireTool()
        {
            if (string.IsNullOrEmpty(tool))
            {
                throw new NoVerdict(Words.BadToolName, "no tool name");
            }
        }

        internal static Uri ApiUrl(string server, string apiPath)
        {
            Uri url;
            if (!Uri.TryCreate(server.Trim(), UriKind.Absolute, out url) || !IsWebAddress(url))
            {
                throw new NoVerdict(Words.BadAddress, "not a web address");
            }
            var address = new UriBuilder(url) { Query = "", Fragment = "" };
            address.Path = StateStore.WithoutCheckPath(url.AbsolutePath) + apiPath;
            if (url.HostNameType == UriHostNameType.Dns)
            {
                address.Host = url.IdnHost;
            }
            return address.Uri;
        }

        private static bool IsWebAddress(Uri url) =>
            (url.Scheme == "http" || url.Scheme == "https") && url.UserInfo.Length == 0 && url.Host.Length > 0 &&
                url.Port > 0;

        private const int MaxRedirects = 5;

        /// <summary>Sends the request, and repeats it where it is redirected to. The body is written with or without
        /// personal data.</summary>
        private async Task<Reply> SendAsync(Uri configured, Func<bool, byte[]> body)
        {
            bool isSigned = client.Keys != null, isPersonal = true;
            Uri url = configured;
            for (int i = 0; i <= MaxRedirects; i++)
            {
                Reply reply = await SendOnceAsync(url, body, isPersonal).ConfigureAwait(false);
                isPersonal = isPersonal && exchange.Verify;
                if (!reply.IsRedirect || (!isSigned && (reply.Status == 303 || string.IsNullOrEmpty(reply.Location))))
                {
                    return reply;
                }
                url = RedirectTarget(configured, url, reply.Location, isSigned);
                isPersonal = isPersonal && url.IdnHost == configured.IdnHost && Port(url) == Port(configured);
            }
            throw TooManyRedirects(url);
        }

        private static NoVerdict TooManyRedirects(Uri last) =>
            new NoVerdict(Words.NoResult, "too many redirects, the last one to " + Words.Address(last.AbsoluteUri));

        private static NoVerdict ForbiddenRedirect(Uri target) =>
            new NoVerdict(Words.NoResult, "redirected to " + Words.Address(target.OriginalString) + ", which is not allowed");

        /// <summary>Where a certificate cannot be verified, asks once more without verification: a signed answer proves
        /// itself. What is personal does not go there.</summary>
        private async Task<Reply> SendOnceAsync(Uri url, Func<bool, byte[]> body, bool isPersonal)
        {
            try
            {
                return await ExchangeAsync(url, body(isPersonal), true).ConfigureAwait(false);
            }
            catch (UntrustedCertificate error) when (client.Keys != null)
            {
                untrusted = error;
            }
            return await ExchangeAsync(url, body(false), false).ConfigureAwait(false);
        }

        private async Task<Reply> ExchangeAsync(Uri url, byte[] body, bool verify)
        {
            exchange = new Exchange { Url = url, Body = body, Verify = verify };
            CancellationToken token = limit.Token;
            Exchange current = exchange;
            Reply reply = await Within(Left, LicenseClient.Run(() => client.Send(current, token))).ConfigureAwait(false);
            if (reply.Body.Length > Exchange.MaxAnswerBytes)
            {
                throw new NoVerdict(Words.NoResult, "the answer is too long");
            }
            return reply;
        }

        /// <remarks>Plain answers are believed, so they may only come from the same host.</remarks>
        private static Uri RedirectTarget(Uri configured, Uri from, string location, bool isSigned)
        {
            Uri target;
            if (string.IsNullOrEmpty(location) || !Uri.TryCreate(from, location, out target))
            {
                throw new NoVerdict(Words.NoResult, "redirected to nowhere");
            }
            bool isAllowed = isSigned && target.Scheme == "https" ||
                target.IdnHost == (isSigned ? configured : from).IdnHost && !(from.Scheme == "https" && target.Scheme == "http");
            if (!IsWebAddress(target) || !isAllowed)
            {
                throw ForbiddenRedirect(target);
            }
            return target.Fragment.Length == 0 ? target : new UriBuilder(target) { Fragment = "" }.Uri;
        }

        /// <summary>0 for the scheme's own port, so that https on the same host counts as the same place.</summary>
        private static int Port(Uri url) => url.IsDefaultPort ? 0 : url.Port;
    }

    /// <summary>The newest signed refusals in this process, which count even if the disk cannot be written.</summary>
    internal sealed class Refusals
    {
        private readonly Dictionary<string, SignedAnswer> newest = new Dictionary<string, SignedAnswer>();

        internal SignedAnswer Find(string tool, string id)
        {
            lock (newest)
            {
                SignedAnswer found;
                return newest.TryGetValue(tool + "\n" + id, out found) ? found : null;
            }
        }

        /// <param name="before">The refusal that was known when the request was sent, and that a good answer lifts.</param>
        internal void Record(string tool, string id, SignedAnswer answer, SignedAnswer before)
        {
            lock (newest)
            {
                SignedAnswer known = Find(tool, id);
                if (!answer.IsGood)
                {
                    newest[tool + "\n" + id] = answer;
                }
                else if (known != null && (known == before || known.IssuedAt <= answer.IssuedAt))
                {
                    newest.Remove(tool + "\n" + id);
                }
            }
        }
    }

    // ---- Words ----

    /// <summary>Messages for the customer; translate them freely. Only the server may call a license invalid: a customer
    /// who has paid must not read that because a cable is loose.</summary>
    internal static class Words
    {
        internal const string NoAnswer = "The license server cannot be reached. There was no answer from {0} ({1}). " +
            "Please check the internet connection and the firewall, then try again.";
        internal const string NoAnswerFromProxy = "The license server cannot be reached. There was no answer from {0} " +
            "through this network's proxy ({1}). Please check the internet connection and the proxy in this computer's " +
            "settings, then try again.";
        internal const string ProxySignIn = "The license server cannot be reached: {1}. Please open a web page in the " +
            "browser, sign in there, and try again, or ask whoever runs the network.";
        internal const string WantsSignIn = "the network's proxy requires a sign-in";
        internal const string Untrusted = "The license server cannot be reached. There is no secure connection to {0} ({1}). " +
            "Please correct that and try again, or contact the vendor of this program.";
        internal const string DateProblem = "its certificate has expired or is not valid yet; is this computer's date, " +
            "{0:yyyy-MM-dd}, right?";
        internal const string IssuerProblem = "its certificate comes from an unknown issuer: the connection is inspected by a " +
            "virus scanner or proxy, or a root certificate is missing";
        internal const string HostProblem = "its certificate is for another host name";
        internal const string NoResult = "The license server cannot be reached. The answer from {0} is not a license result " +
            "({1}). Please try again in a few minutes. If this does not help, contact the vendor of this program.";
        internal const string BadAddress = "The license server cannot be reached. This program looks for it at \"{0}\", " +
            "which is not a web address. Please contact the vendor of this program.";
        internal const string ClockWasSetBack = "none, because this computer's clock was set back";
        internal const string ClockHint = " This computer's clock seems to be wrong; please correct it.";
        internal const string BadKeys = "The license cannot be checked: the public keys in this program cannot be used ({1}). " +
            "Please contact the vendor of this program.";
        /// <summary>Why an offline file is refused, by reason. If the server has refused, its words count, and its code is
        /// the reason.</summary>
        internal static readonly Dictionary<string, string> OfflineFile = new Dictionary<string, string>
        {
            { "NO_OFFLINE_FILE", "This is not an offline file. Please import the answer to this computer's request as a " +
                "whole." },
            { "BAD_SIGNATURE", "This offline file was changed, or is not from the vendor of this program. Please import it " +
                "again exactly as you received it." },
            { "OTHER_TOOL", "This offline file is for another program. Please import the one for this program." },
            { "OTHER_MACHINE", "This offline file is for another computer. Please request one for this computer." },
            { "OTHER_REQUEST", "This offline file does not answer this computer's current request. Please send the request " +
                "that this program shows now." },
            { "FILE_EXPIRED", "This offline file expired on {0}, and this computer's clock says {1}. Please correct the " +
                "clock, or request a new file." },
            { "CLOCK_BEHIND", "This offline file was made on {0}, but this computer's clock says {1}. Please correct the " +
                "clock, then import the file again." },
            { "NOT_STORED", "The offline file cannot be stored on this computer. Please make sure that the disk is neither " +
                "full nor write-protected, then import the file again." },
        };
        internal const string BadToolName = "The license cannot be checked: this program does not give its name. " +
            "Please contact the vendor of this program.";
        internal const string NoMachineId = "The license cannot be checked: this computer has no machine ID. Please turn on " +
            "its network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.";

        internal static DateTime FromUnixTime(long seconds) =>
            new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(seconds);

        internal static string Time(long seconds) =>
            FromUnixTime(seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC";

        internal static string Address(string url)
        {
            string text = url.Trim();
            // Without a user name and password.
            text = Regex.Replace(text, "//[^/?#]*@", "//");
            text = text.Split('?', '#')[0];
            text = text.Length > 200 ? text.Substring(0, 200) : text;
            // The word "invalid" is reserved for verdicts, but an address may contain it.
            return text.IndexOf("invalid", StringComparison.OrdinalIgnoreCase) >= 0 ? "its address" : text;
        }
    }

    /// <summary>No verdict was received; carries one of the messages above and the reason to insert into it.</summary>
    internal sealed class NoVerdict : Exception
    {
        internal readonly string Template, Reason;

        internal NoVerdict(string template, string reason, Exception cause = null) : base(reason, cause)
        {
            Template = template;
            Reason = reason;
        }
    }

    // ---- HTTP ----

    /// <summary>The server's certificate could not be verified.</summary>
    internal sealed class UntrustedCertificate : Exception
    {
        internal readonly string Problem;  // in the words for the customer

        internal UntrustedCertificate(string problem, Exception cause = null) : base(problem, cause)
        {
            Problem = problem;
        }
    }

    internal sealed class Reply
    {
        internal int Status;
        internal string Location;
        internal byte[] Body;

        internal bool IsRedirect => (Status >= 301 && Status <= 303) || Status == 307 || Status == 308;

        /// <summary>The JSON object in the body, with or without a byte order mark before it, or null.</summary>
        internal Dictionary<string, object> Members()
        {
            byte[] mark = Encoding.UTF8.GetPreamble();
            return Json.Parse(Body.Take(3).SequenceEqual(mark) ? Body.Skip(3).ToArray() : Body) as Dictionary<string, object>;
        }

        // Any other reason is no answer.
        private static readonly string[] Reasons =
        {
            "BAD_CODE", "UNKNOWN_CODE", "WRONG_TOOL", "CODE_EXPIRED", "CODE_SUSPENDED", "CODE_REVOKED", "MACHINE_BLOCKED",
            "SEATS_IN_USE", "OTHER_CODE", "MOVES_USED", "OFFLINE_UNTIL", "TRY_LATER",
        };

        /// <summary>Why an activation code was refused, or null. It is not signed, so no lease is erased because of
        /// it.</summary>
        internal string Reason()
        {
            var answer = Members();
            string reason = Json.Text(answer, "reason");
            bool isRefusal = Json.Text(answer, "status") == "error" && !answer.ContainsKey("token");
            return isRefusal && Array.IndexOf(Reasons, reason) >= 0 ? reason : null;
        }

        internal NoVerdict NoVerdict(string details) =>
            Status == 407 ? new NoVerdict(Words.ProxySignIn, Words.WantsSignIn)
                : new NoVerdict(Words.NoResult, "HTTP " + Status.ToString(CultureInfo.InvariantCulture) + details);
    }

    /// <summary>One request and its reply.</summary>
    internal sealed class Exchange
    {
        internal const int MaxAnswerBytes = 64 * 1024;

        internal Uri Url;
        internal byte[] Body;
        internal bool Verify;
        internal volatile string Proxy;  // null: none
        private volatile string problem;  // of the certificate

        internal async Task<Reply> SendAsync(HttpMessageHandler given, CancellationToken cancel)
        {
            HttpMessageHandler handler = given ?? NewHandler();
            using (var http = new HttpClient(handler, given == null) { Timeout = Timeout.InfiniteTimeSpan })
            using (var request = new HttpRequestMessage(HttpMethod.Post, Url))
            {
                request.Content = new ByteArrayContent(Body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                request.Headers.ExpectContinue = false;
                request.Headers.ConnectionClose = true;
                request.Headers.TryAddWithoutValidation("User-Agent", "LicenseClient.cs/" + LicenseClient.Version);
                try
                {
                    return await ReadAsync(http, request, cancel).ConfigureAwait(false);
                }
                catch (Exception error) when (problem != null)
                {
                    throw new UntrustedCertificate(problem, error);
                }
            }
        }

        private HttpClientHandler NewHandler()
        {
#if !NET6_0_OR_GREATER
            // A program that names no target framework would otherwise offer TLS 1.0 at most. 0 means Windows decides.
            if ((int)ServicePointManager.SecurityProtocol != 0)
            {
                ServicePointManager.SecurityProtocol |= SecurityProtocolType.Tls12;
            }
#endif
            // Many offices reach the internet only through a proxy, which the framework takes from the Windows settings.
            // A server on this computer must not be reached through it: to the proxy, "localhost" is the proxy itself.
            bool useProxy = !Url.IsLoopback;
            Proxy = useProxy ? Machine.Attempt(FindProxy, null) : null;
            return new HttpClientHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = useProxy,
                // Otherwise a proxy that knows the Windows user would ask for a sign-in.
                DefaultProxyCredentials = CredentialCache.DefaultCredentials,
                ServerCertificateCustomValidationCallback = (request, certificate, chain, errors) =>
                    Accepts(request, certificate, chain, errors),
            };
        }

        private string FindProxy()
        {
#if NET6_0_OR_GREATER
            IWebProxy settings = HttpClient.DefaultProxy;
#else
            IWebProxy settings = WebRequest.DefaultWebProxy;
#endif
            Uri proxy = settings == null || settings.IsBypassed(Url) ? null : settings.GetProxy(Url);
            return proxy == null || proxy == Url ? null : proxy.Scheme + "://" + proxy.Authority;
        }

        private bool Accepts(object request, X509Certificate2 certificate, X509Chain chain, SslPolicyErrors errors)
        {
            bool isAccepted = errors == SslPolicyErrors.None;
#if !NET6_0_OR_GREATER
            // What the program has decided for all of its connections.
            RemoteCertificateValidationCallback decision = ServicePointManager.ServerCertificateValidationCallback;
            isAccepted = decision == null ? isAccepted : decision(request, certificate, chain, errors);
#endif
            if (isAccepted || !Verify)
            {
                return true;
            }
            const X509ChainStatusFlags Dates = X509ChainStatusFlags.NotTimeValid | X509ChainStatusFlags.NotTimeNested |
                X509ChainStatusFlags.CtlNotTimeValid;
            bool isDate = chain != null && chain.ChainStatus.Length > 0 &&
                chain.ChainStatus.All(status => (status.Status & ~Dates) == 0);
            problem = (errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0 ? Words.HostProblem
                : isDate ? Words.DateProblem : Words.IssuerProblem;
            return false;
        }

        private static async Task<Reply> ReadAsync(HttpClient http, HttpRequestMessage request, CancellationToken cancel)
        {
            var sent = http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            using (HttpResponseMessage response = await sent.ConfigureAwait(false))
            // Disposing the response ends a read that hangs.
            using (cancel.Register(() => Machine.Attempt(() => { response.Dispose(); return true; }, false)))
            {
                Uri location = response.Headers.Location;
                var reply = new Reply
                {
                    Status = (int)response.StatusCode,
                    Location = location == null ? null : location.OriginalString,
                    Body = new byte[0],
                };
                if (!reply.IsRedirect || location == null)
                {
                    reply.Body = await ReadUpToLimitAsync(response.Content, cancel).ConfigureAwait(false);
                }
                return reply;
            }
        }

        private static async Task<byte[]> ReadUpToLimitAsync(HttpContent content, CancellationToken cancel)
        {
            using (Stream body = await content.ReadAsStreamAsync().ConfigureAwait(false))
            {
                // One byte more than allowed, so that the caller can tell that it is too long.
                var buffer = new byte[MaxAnswerBytes + 1];
                int length = 0, read = -1;
                while (length < buffer.Length && read != 0)
                {
                    read = await body.ReadAsync(buffer, length, buffer.Length - length, cancel).ConfigureAwait(false);
                    length += read;
                    cancel.ThrowIfCancellationRequested();
                }
                Array.Resize(ref buffer, length);
                return buffer;
            }
        }
    }

    // ---- The signed answer ----

    /// <summary>A verdict that the server has signed for this tool on this computer.</summary>
    internal sealed class SignedAnswer
    {
        internal static readonly string[] GoodCodes = { "VALID", "IN_GRACE", "TRIAL" };
        private static readonly string[] Refusals = { "EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND" };

        internal string Token;
        internal string LicenseKey;
        internal string Code;
        internal string Message;
        internal string ExpirationDate;
        internal Dictionary<string, object> Claims;
        internal long IssuedAt;
        internal long ExpiresAt;

        private SignedAnswer()
        {
        }

        /// <summary>Ends a lease like a refusal, although nothing was signed: the program itself gave the seat
        /// back.</summary>
        internal static SignedAnswer Removal(long now) => new SignedAnswer { Code = "REMOVED", IssuedAt = now };

        internal bool IsGood => Array.IndexOf(GoodCodes, Code) >= 0;

        /// <summary>Whether the lease is still in the first half of its life.</summary>
        internal bool IsFresh(long now) => now * 2 < IssuedAt + ExpiresAt;

        /// <summary>The signed answer in a file or a text, which a mail may have wrapped and quoted; or null.</summary>
        internal static string FindIn(string text)
        {
            string start = text.Substring(0, Math.Min(text.Length, 2 * Exchange.MaxAnswerBytes));
            // Where the text also quotes the request, only the answer has a header.
            Match found = Regex.Match(Regex.Replace(start, "[\\s>\\0\\u200b\\ufeff]", ""),
                "eyJhbGciOi[A-Za-z0-9_-]{1,200}[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]{86}");
            return found.Success ? found.Value : null;
        }

        /// <summary>Reads a compact JWS, or returns null unless it is the server's own answer to this check. What is null is
        /// not compared.</summary>
        internal static SignedAnswer Verify(string token, List<PublicKey> keys, string toolName, string licenseKey,
            string nonce)
        {
            string[] parts = token.Split('.');
            if (parts.Length != 3)
            {
                return null;
            }
            byte[] header = Base64Url.Decode(parts[0]);
            byte[] payload = Base64Url.Decode(parts[1]);
            byte[] signature = Base64Url.Decode(parts[2]);
            if (header == null || payload == null || signature == null)
            {
                return null;
            }
            PublicKey key = FindKey(Json.Parse(header) as Dictionary<string, object>, keys);
            // The parts are ASCII, or they could not have been decoded.
            if (key == null || !key.HasSigned(Encoding.ASCII.GetBytes(parts[0] + "." + parts[1]), signature))
            {
                return null;
            }
            var claims = Json.Parse(payload) as Dictionary<string, object>;
            return claims == null ? null : FromClaims(token, claims, toolName, licenseKey, nonce);
        }

        /// <summary>The key that the header names. The algorithm is fixed here: null for any other, or for more members
        /// than these three.</summary>
        private static PublicKey FindKey(Dictionary<string, object> header, List<PublicKey> keys)
        {
            if (header == null || header.Count != 3 || Json.Text(header, "alg") != "ES256" ||
                Json.Text(header, "typ") != "license+jwt")
            {
                return null;
            }
            string kid = Json.Text(header, "kid");
            return keys.Find(key => key.Kid == kid);
        }

        private static SignedAnswer FromClaims(string token, Dictionary<string, object> claims, string toolName,
            string licenseKey, string nonce)
        {
            long? http = Json.Integer(claims, "http");
            long? issuedAt = Json.Integer(claims, "iat");
            long? expiresAt = Json.Integer(claims, "exp");
            string code = Json.Text(claims, "code");
            if ((toolName != null && Json.Text(claims, "aud") != toolName) ||
                (licenseKey != null && Json.Text(claims, "sub") != licenseKey) ||
                (nonce != null && Json.Text(claims, "nonce") != nonce) ||
                (Array.IndexOf(GoodCodes, code) < 0 && Array.IndexOf(Refusals, code) < 0) ||
                http == null || issuedAt == null || expiresAt == null || expiresAt <= issuedAt)
            {
                return null;
            }
            return new SignedAnswer
            {
                Token = token,
                LicenseKey = Json.Text(claims, "sub"),
                Claims = claims,
                Code = code,
                Message = Json.Text(claims, "message") ?? "",
                ExpirationDate = Json.Text(claims, "expiration_date"),
                IssuedAt = issuedAt.Value,
                ExpiresAt = expiresAt.Value,
            };
        }
    }

    // ---- What a license grants ----

    internal static class Terms
    {
        internal const int MaxName = 50, MaxData = 1024;  // characters
        private const int MaxDigits = 15;

        /// <summary>Null if it is something else, empty or too long.</summary>
        internal static string Text([AllowNull] Dictionary<string, object> claims, string name,
            int limit = Exchange.MaxAnswerBytes) => Short(Json.Text(claims, name), limit);

        private static string Short(string text, int limit) =>
            string.IsNullOrEmpty(text) || text.Count(c => !char.IsLowSurrogate(c)) > limit ? null : text;

        internal static List<string> Names([AllowNull] Dictionary<string, object> claims, string name)
        {
            object value;
            var items = claims != null && claims.TryGetValue(name, out value) ? value as List<object> : null;
            List<string> names = (items ?? new List<object>()).Select(item => Short(item as string, MaxName)).ToList();
            return names.Contains(null) ? new List<string>() : names;
        }

        /// <summary>Programs open it, so it must not be the name of a file or of another program.</summary>
        internal static string WebAddress([AllowNull] Dictionary<string, object> claims, string name)
        {
            string text = Text(claims, name);
            return text != null && Regex.IsMatch(text, "^https?://[^/]") ? text : null;
        }

        internal static DateTime? Day(string text)
        {
            DateTime day;
            return DateTime.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out day)
                ? day : (DateTime?)null;
        }

        internal static bool IsOlder(string version, string than)
        {
            Version one = Version.Parse(version), other = Version.Parse(than);
            return one != null && other != null && one.CompareTo(other) < 0;
        }

        private sealed class Version
        {
            private List<string> numbers, words;  // the words of a pre-release

            internal static Version Parse(string text)
            {
                Match found = Regex.Match(text ?? "",
                    @"^[ \t\r\n]*[vV]?([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?[ \t\r\n]*\z");
                string pre = found.Groups[2].Value.ToLowerInvariant();
                var version = new Version
                {
                    numbers = found.Groups[1].Value.Split('.').ToList(),
                    words = Regex.Matches(pre, "[0-9]+|[a-z]+").Cast<Match>().Select(word => word.Value).ToList(),
                };
                bool isTooLong = version.numbers.Concat(version.words)
                    .Any(word => IsNumber(word) && word.Length > MaxDigits);
                if (!found.Success || isTooLong || (pre.Length > 0 && version.words.Count == 0))
                {
                    return null;
                }
                while (version.numbers.Count > 0 && Number(version.numbers.Last()) == 0)
                {
                    version.numbers.RemoveAt(version.numbers.Count - 1);
                }
                return version;
            }

            internal int CompareTo(Version other)
            {
                int byNumbers = Compare(numbers, other.numbers);
                int byRelease = (words.Count == 0).CompareTo(other.words.Count == 0);
                return byNumbers != 0 ? byNumbers : byRelease != 0 ? byRelease : Compare(words, other.words);
            }

            /// <summary>Item by item; what is longer comes later.</summary>
            private static int Compare(List<string> one, List<string> other)
            {
                int difference = one.Zip(other, Compare).FirstOrDefault(compared => compared != 0);
                return difference != 0 ? difference : one.Count.CompareTo(other.Count);
            }

            /// <summary>A number comes before a word.</summary>
            private static int Compare(string one, string other)
            {
                return IsNumber(one) && IsNumber(other) ? Number(one).CompareTo(Number(other))
                    : IsNumber(one) != IsNumber(other) ? (IsNumber(one) ? -1 : 1) : string.CompareOrdinal(one, other);
            }

            private static bool IsNumber(string word) => word.Length > 0 && word[0] >= '0' && word[0] <= '9';

            private static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
        }
    }

    // ---- The stored state ----

    /// <summary>What is stored for one tool and machine ID, in the same format as license_client.py stores it.</summary>
    internal sealed class State
    {
        internal const long FullAllowance = 24 * 3600;

        internal string LicenseKey;
        internal string Token;  // the lease; null after a signed refusal
        internal long? GoodIat;  // when the server last said that the license is good
        internal long Mark;  // the newest time that is known, by the server's clock or at a later start by this computer's
        internal long Allowance;  // seconds by which starts may still be before the mark
        internal long? Uptime;  // the computer's, when the mark was set

        /// <summary>Null unless each of the six members is there and has its type.</summary>
        internal static State Parse(byte[] content)
        {
            var found = Json.Parse(content) as Dictionary<string, object>;
            long? mark = Json.Integer(found, "mark"), allowance = Json.Integer(found, "allowance");
            string licenseKey = Json.Text(found, "license_key");
            if (licenseKey == null || mark == null || allowance == null || !IsNullOr(found, "token", Json.Text(found, "token")) ||
                !IsNullOr(found, "good_iat", Json.Integer(found, "good_iat")) ||
                !IsNullOr(found, "uptime", Json.Integer(found, "uptime")))
            {
                return null;
            }
            return new State
            {
                LicenseKey = licenseKey,
                Token = Json.Text(found, "token"),
                GoodIat = Json.Integer(found, "good_iat"),
                Mark = mark.Value,
                Allowance = Math.Min(allowance.Value, FullAllowance),
                Uptime = Json.Integer(found, "uptime"),
            };
        }

        private static bool IsNullOr(Dictionary<string, object> found, string name, object value)
        {
            object stored;
            return value != null || (found.TryGetValue(name, out stored) && stored == null);
        }

        internal byte[] Write() => Json.Write(new Dictionary<string, object>
        {
            { "license_key", LicenseKey },
            { "token", Token },
            { "good_iat", GoodIat },
            { "mark", Mark },
            { "allowance", Allowance },
            { "uptime", Uptime },
        });

        internal static State Newest(IEnumerable<State> states) =>
            states.Where(state => state.GoodIat != null).OrderByDescending(state => state.GoodIat).FirstOrDefault();

        /// <summary>Of these machine IDs, that which last had a good result.</summary>
        internal static State Remembered(IEnumerable<State> states, ICollection<string> ids) =>
            Newest(states.Where(state => ids.Contains(state.LicenseKey)));

        /// <summary>Moves the mark to this start of the program. Where the clock has been set back, it uses up the
        /// allowance, and after that the lease.</summary>
        internal void MoveMark(long now, long? uptime)
        {
            // At least so much time has passed. After a restart of the computer, it is what has passed since then.
            long passed = uptime == null || Uptime == null ? 0 : uptime.Value >= Uptime ? uptime.Value - Uptime.Value
                : uptime.Value;
            long missing = Math.Max(Mark + passed - now, 0);
            if (missing == 1)
            {
                return;  // two clocks, each rounded to seconds
            }
            if (missing <= Allowance)
            {
                Allowance -= missing;
                Mark = now;
            }
            else
            {
                Token = null;
                Allowance = 0;
            }
            Uptime = uptime;
        }

        /// <summary>Whether another answer was stored between this state and the later one; the mark of a lease also moves
        /// without one.</summary>
        internal static bool IsOtherAnswer(State before, State after) =>
            before == null ? after != null
                : after == null || before.Token != after.Token || before.GoodIat != after.GoodIat ||
                    (before.Token == null && before.Mark != after.Mark);
    }

    /// <summary>One file for each server, tool and machine ID. Errors of reading and writing are ignored, because they must
    /// not keep a program from starting.</summary>
    internal sealed class StateStore
    {
        internal const string CheckPath = "/api/check";
        private const int MaxFileBytes = 128 * 1024;
        private const uint UserOnlyFile = 6 << 6, UserOnlyFolder = 7 << 6;  // 0600 and 0700
        private static readonly object ThreadLock = new object();
        private static readonly TimeSpan LockTimeout = TimeSpan.FromMilliseconds(500);

        private readonly string folder;  // null: there is none to store anything in
        private readonly string prefix;

        internal StateStore(string folder, string serverUrl, string tool)
        {
            this.folder = folder;
            prefix = Name(Json.Write(new List<object> { WithoutCheckPath(serverUrl.Trim()), tool })) + "-";
        }

        internal static string WithoutCheckPath(string address)
        {
            address = address.TrimEnd('/');
            return address.EndsWith(CheckPath, StringComparison.Ordinal)
                ? address.Substring(0, address.Length - CheckPath.Length).TrimEnd('/') : address;
        }

        private static string Name(byte[] content) => Machine.Hex(Crypto.Sha256(content), "").Substring(0, 16);

        internal string PathOf(string licenseKey) =>
            Path.Combine(folder, prefix + Name(Encoding.UTF8.GetBytes(licenseKey)) + ".json");

        /// <summary>The states of all machine IDs for this server and tool.</summary>
        internal List<State> ReadAll() =>
            Machine.Attempt(() => Directory.GetFiles(folder, prefix + "*.json").Select(Read)
                .Where(state => state != null).ToList(), new List<State>());

        /// <summary>The same at a start of the program, which moves the mark of the lease that one of these machine IDs
        /// has.</summary>
        internal List<State> Open(ICollection<string> ids, Func<long> clock, Func<long?> uptime)
        {
            // A start that finds nothing must not create the folder.
            return !Directory.Exists(folder) ? new List<State>() : WithLock(() =>
            {
                List<State> states = ReadAll();
                State remembered = State.Remembered(states, ids);
                if (remembered != null && remembered.Token != null)
                {
                    // Only now: an uptime before the stored one, of a process that was faster, would look like a restart.
                    byte[] before = remembered.Write();
                    remembered.MoveMark(clock(), uptime());
                    Machine.Attempt(() => before.SequenceEqual(remembered.Write()) ||
                        Replace(PathOf(remembered.LicenseKey), remembered.Write(), false), false);
                }
                return states;
            });
        }

        /// <summary>Stores a good answer as the lease; a refusal erases the lease.</summary>
        /// <param name="before">What was stored when the request was sent.</param>
        /// <returns>What was written, or null.</returns>
        internal State Save(SignedAnswer answer, string licenseKey, State before, Func<long?> uptime)
        {
            return WithLock(() =>
            {
                State stored = Read(PathOf(licenseKey));
                // Another process may have stored a newer answer meanwhile. A refusal always counts.
                if (answer.IsGood && stored != null && State.IsOtherAnswer(before, stored) &&
                    (stored.Token == null ? stored.Mark : stored.GoodIat) >= answer.IssuedAt)
                {
                    return null;
                }
                var state = new State
                {
                    LicenseKey = licenseKey,
                    Token = answer.IsGood ? answer.Token : null,
                    GoodIat = answer.IsGood ? answer.IssuedAt : stored == null ? null : stored.GoodIat,
                    Mark = answer.IssuedAt,
                    Allowance = State.FullAllowance,
                    Uptime = uptime(),
                };
                Write(state);
                return state;
            });
        }

        internal State Find(string licenseKey) => Read(PathOf(licenseKey));

        internal string RequestPathOf(string licenseKey) => Path.ChangeExtension(PathOf(licenseKey), "request");

        /// <summary>The nonce of the request that waits for an offline file, a new one if there is none; null if it cannot
        /// be stored.</summary>
        internal string OpenRequest(string licenseKey, Func<string> newNonce)
        {
            return WithLock(() =>
            {
                if (ReadRequest(licenseKey) == null)
                {
                    var request = new Dictionary<string, object> { { "license_key", licenseKey }, { "nonce", newNonce() } };
                    Machine.Attempt(() => Replace(RequestPathOf(licenseKey), Json.Write(request), true), false);
                }
                return ReadRequest(licenseKey);
            });
        }

        /// <summary>Its nonce, or null.</summary>
        internal string ReadRequest(string licenseKey)
        {
            string path = RequestPathOf(licenseKey);
            var request = Machine.Attempt(() => new FileInfo(path).Length == 0 ? null
                : Json.Parse(ReadBytes(path)) as Dictionary<string, object>, null);
            string nonce = Json.Text(request, "nonce");
            bool isWhole = nonce != null && Regex.IsMatch(nonce, @"^[A-Za-z0-9_-]{16,64}\z");
            return isWhole && Json.Text(request, "license_key") == licenseKey ? nonce : null;
        }

        internal void CloseRequest(string licenseKey)
        {
            Machine.Attempt(() => { File.Delete(RequestPathOf(licenseKey)); return true; }, false);
        }

        /// <summary>Null if there is no such file, or it is not the state of the machine ID in its name.</summary>
        private State Read(string path)
        {
            return Machine.Attempt(() =>
            {
                // A named pipe has no length, and is not opened, because that could wait forever.
                State state = new FileInfo(path).Length == 0 ? null : State.Parse(ReadBytes(path));
                return state != null && PathOf(state.LicenseKey) == path ? state : null;
            }, null);
        }

        private static byte[] ReadBytes(string path)
        {
            using (var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
            {
                var content = new byte[MaxFileBytes];
                int length = 0, read;
                while ((read = file.Read(content, length, content.Length - length)) > 0)
                {
                    length += read;
                }
                Array.Resize(ref content, length);
                return content;
            }
        }

        private void Write(State state)
        {
            try
            {
                Replace(PathOf(state.LicenseKey), state.Write(), true);
            }
            catch (Exception)
            {
                if (state.Token != null)
                {
                    return;  // on a full disk, overwriting would destroy the lease that is there
                }
                // Erase it in place, which is not atomic: a file that is cut short counts as no file.
                string path = PathOf(state.LicenseKey);
                bool isWritten = Machine.Attempt(() => Overwrite(path, state.Write(), true), false);
                if (!isWritten)
                {
                    File.Delete(path);
                }
            }
        }

        private static bool Replace(string path, byte[] content, bool flush)
        {
            string draft = path + "." + Guid.NewGuid().ToString("N");
            try
            {
                Overwrite(draft, content, flush);
                if (File.Exists(path))
                {
                    File.Replace(draft, path, null, true);
                }
                else
                {
                    File.Move(draft, path);
                }
                return true;
            }
            catch (Exception)
            {
                Machine.Attempt(() => { File.Delete(draft); return true; }, false);
                throw;
            }
        }

        private static bool Overwrite(string path, byte[] content, bool flush)
        {
            using (var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read))
            {
                RestrictToUser(path, UserOnlyFile);
                file.Write(content, 0, content.Length);
                file.SetLength(content.Length);
                file.Flush(flush);
                return true;
            }
        }

        /// <summary>On Windows, the permissions of the parent folder are inherited.</summary>
        private static void RestrictToUser(string path, uint mode)
        {
            if (Environment.OSVersion.Platform != PlatformID.Win32NT)
            {
                Machine.Attempt(() => chmod(path, mode), 0);
            }
        }

        [DllImport("libc")]
        private static extern int chmod(string path, uint mode);

        /// <summary>Excludes other threads and processes while the function runs. The lock is a file that is never deleted.
        /// After a timeout the function runs without it, since files are replaced atomically anyway.</summary>
        private T WithLock<T>(Func<T> function)
        {
            bool isLocked = Monitor.TryEnter(ThreadLock, LockTimeout);
            try
            {
                using (Machine.Attempt(LockFile, null))
                {
                    return function();
                }
            }
            finally
            {
                if (isLocked)
                {
                    Monitor.Exit(ThreadLock);
                }
            }
        }

        private FileStream LockFile()
        {
            if (!Directory.Exists(folder))
            {
                Directory.CreateDirectory(folder);
                RestrictToUser(folder, UserOnlyFolder);
            }
            string path = Path.Combine(folder, "lock");
            var waited = Stopwatch.StartNew();
            while (true)
            {
                try
                {
                    var held = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                    RestrictToUser(path, UserOnlyFile);
                    return held;
                }
                catch (IOException)
                {
                    if (waited.Elapsed > LockTimeout)
                    {
                        return null;
                    }
                    Thread.Sleep(10);
                }
            }
        }
    }

    // ---- Strict encodings ----

    internal static class Base64Url
    {
        private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

        internal static string Encode(byte[] bytes) => FromBase64(Convert.ToBase64String(bytes));

        internal static string FromBase64(string text) => text.TrimEnd('=').Replace('+', '-').Replace('/', '_');

        /// <summary>Returns null for anything but the canonical encoding: no padding, and spare bits are zero.</summary>
        internal static byte[] Decode(string text)
        {
            if (text.Length % 4 == 1 || !text.All(c => Alphabet.IndexOf(c) >= 0))
            {
                return null;
            }
            string padded = text.Replace('-', '+').Replace('_', '/') + new string('=', (4 - text.Length % 4) % 4);
            byte[] bytes = Convert.FromBase64String(padded);
            return Encode(bytes) == text ? bytes : null;
        }
    }

    /// <summary>JSON (RFC 8259) in UTF-8, without duplicate names. .NET Framework 4.7.2 and .NET have no JSON parser in
    /// common.</summary>
    /// <remarks>Objects become Dictionary, arrays List, integers long, other numbers double.</remarks>
    internal sealed class Json
    {
        private const int MaxDepth = 64;

        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        /// <summary>Returns null for null and for anything that is not JSON.</summary>
        internal static object Parse(byte[] bytes)
        {
            try
            {
                var json = new Json(new UTF8Encoding(false, true).GetString(bytes));
                object value = json.Value(0);
                json.SkipSpace();
                return json.at == json.text.Length ? value : null;
            }
            catch (ArgumentException)
            {
                return null;  // not UTF-8, or a duplicate name
            }
            catch (FormatException)
            {
                return null;
            }
        }

        internal static string Text(Dictionary<string, object> found, string name)
        {
            object value;
            return found != null && found.TryGetValue(name, out value) ? value as string : null;
        }

        /// <summary>An integer from 0 to the last second of the year 9999.</summary>
        internal static long? Integer(Dictionary<string, object> found, string name)
        {
            object value;
            long? integer = found != null && found.TryGetValue(name, out value) ? value as long? : null;
            return integer >= 0 && integer <= 253402300799 ? integer : null;
        }

        private object Value(int depth)
        {
            if (depth > MaxDepth)
            {
                throw new FormatException();
            }
            SkipSpace();
            switch (Peek())
            {
                case '{':
                    var members = new Dictionary<string, object>(StringComparer.Ordinal);
                    Items('}', () =>
                    {
                        string name = String();
                        SkipSpace();
                        Expect(':');
                        members.Add(name, Value(depth + 1));
                    });
                    return members;
                case '[':
                    var items = new List<object>();
                    Items(']', () => items.Add(Value(depth + 1)));
                    return items;
                case '"':
                    return String();
                case 't':
                    return Literal("true", true);
                case 'f':
                    return Literal("false", false);
                case 'n':
                    return Literal("null", null);
                default:
                    return Number();
            }
        }

        private void Items(char end, Action readItem)
        {
            at++;
            SkipSpace();
            for (bool isFirst = true; !Skip(end); isFirst = false)
            {
                if (!isFirst)
                {
                    Expect(',');
                    SkipSpace();
                }
                readItem();
                SkipSpace();
            }
        }

        private string String()
        {
            var result = new StringBuilder();
            Expect('"');
            while (true)
            {
                char c = Next();
                if (c == '"')
                {
                    return result.ToString();
                }
                if (c < ' ')
                {
                    throw new FormatException();
                }
                result.Append(c == '\\' ? Escape() : c);
            }
        }

        private char Escape()
        {
            char c = Next();
            int index = "\"\\/bfnrt".IndexOf(c);
            if (index >= 0)
            {
                return "\"\\/\b\f\n\r\t"[index];
            }
            if (c != 'u')
            {
                throw new FormatException();
            }
            int code = 0;
            for (int i = 0; i < 4; i++)
            {
                int digit = "0123456789abcdef".IndexOf(char.ToLowerInvariant(Next()));
                if (digit < 0)
                {
                    throw new FormatException();
                }
                code = code * 16 + digit;
            }
            return (char)code;
        }

        private object Number()
        {
            int start = at;
            Skip('-');
            if (!Skip('0'))
            {
                Digits();
            }
            bool isInteger = true;
            if (Skip('.'))
            {
                isInteger = false;
                Digits();
            }
            if (Skip('e') || Skip('E'))
            {
                isInteger = false;
                if (!Skip('+'))
                {
                    Skip('-');
                }
                Digits();
            }
            long integer;
            if (isInteger && long.TryParse(text.Substring(start, at - start), NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture, out integer))
            {
                return integer;
            }
            return double.NaN;  // its value is never used
        }

        private void Digits()
        {
            int start = at;
            while (Peek() >= '0' && Peek() <= '9')
            {
                at++;
            }
            if (at == start)
            {
                throw new FormatException();
            }
        }

        private object Literal(string word, object value)
        {
            foreach (char c in word)
            {
                Expect(c);
            }
            return value;
        }

        private void SkipSpace()
        {
            while (Skip(' ') || Skip('\t') || Skip('\n') || Skip('\r'))
            {
            }
        }

        private bool Skip(char c)
        {
            bool isNext = Peek() == c;
            at += isNext ? 1 : 0;
            return isNext;
        }

        /// <summary>The next character, or -1 at the end.</summary>
        private int Peek() => at < text.Length ? text[at] : -1;

        private char Next()
        {
            if (at == text.Length)
            {
                throw new FormatException();
            }
            return text[at++];
        }

        private void Expect(char expected)
        {
            if (!Skip(expected))
            {
                throw new FormatException();
            }
        }

        internal static byte[] Write(object value)
        {
            var json = new StringBuilder();
            Append(json, value);
            return new UTF8Encoding(false).GetBytes(json.ToString());
        }

        private static void Append(StringBuilder json, object value)
        {
            var members = value as Dictionary<string, object>;
            var items = value as List<object>;
            string separator = "";
            if (members != null)
            {
                json.Append('{');
                foreach (KeyValuePair<string, object> member in members)
                {
                    json.Append(separator);
                    AppendString(json, member.Key);
                    json.Append(':');
                    Append(json, member.Value);
                    separator = ",";
                }
                json.Append('}');
            }
            else if (items != null)
            {
                json.Append('[');
                foreach (object item in items)
                {
                    json.Append(separator);
                    Append(json, item);
                    separator = ",";
                }
                json.Append(']');
            }
            else if (value is string)
            {
                AppendString(json, (string)value);
            }
            else if (value is bool)
            {
                json.Append((bool)value ? "true" : "false");
            }
            else
            {
                json.Append(value == null ? "null" : ((long)value).ToString(CultureInfo.InvariantCulture));
            }
        }

        private static void AppendString(StringBuilder json, string value)
        {
            json.Append('"');
            foreach (char c in value)
            {
                int index = "\"\\\b\f\n\r\t".IndexOf(c);
                if (index >= 0)
                {
                    json.Append('\\').Append("\"\\bfnrt"[index]);
                }
                else if (c < ' ')
                {
                    json.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                }
                else
                {
                    json.Append(c);
                }
            }
            json.Append('"');
        }
    }

    // ---- Signatures: ES256, which is ECDSA over P-256 with SHA-256 ----

    /// <summary>A public key that is pinned in the program.</summary>
    internal sealed class PublicKey
    {
        private readonly byte[] x;
        private readonly byte[] y;

        private PublicKey(byte[] x, byte[] y)
        {
            this.x = x;
            this.y = y;
            string jwk = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" + Base64Url.Encode(x) +
                "\",\"y\":\"" + Base64Url.Encode(y) + "\"}";
            Kid = Base64Url.Encode(Crypto.Sha256(Encoding.ASCII.GetBytes(jwk))).Substring(0, 16);
        }

        /// <summary>The key ID: the first 16 characters of the thumbprint (RFC 7638).</summary>
        internal string Kid { get; private set; }

        /// <summary>Reads "x.y", PEM or a JWK; the message of the FormatException says what is wrong.</summary>
        internal static PublicKey Parse(string text)
        {
            text = (text ?? "").Trim();
            string[] coordinates = text.StartsWith("{", StringComparison.Ordinal) ? FromJwk(text)
                : text.StartsWith("-----", StringComparison.Ordinal) ? FromPem(text) : text.Split('.');
            byte[] x = coordinates.Length == 2 ? Base64Url.Decode(coordinates[0] ?? "") : null;
            byte[] y = coordinates.Length == 2 ? Base64Url.Decode(coordinates[1] ?? "") : null;
            if (x == null || y == null || x.Length != 32 || y.Length != 32)
            {
                throw new FormatException("one of them is not a public key");
            }
            if (!Crypto.IsOnCurve(x, y))
            {
                throw new FormatException("one of them was not copied correctly, or this computer has no ECDSA");
            }
            return new PublicKey(x, y);
        }

        private static string[] FromJwk(string text)
        {
            var jwk = Json.Parse(Encoding.UTF8.GetBytes(text)) as Dictionary<string, object>;
            if (jwk != null && jwk.ContainsKey("d"))
            {
                throw new FormatException("one of them is the private key, which must stay on the server");
            }
            if (Json.Text(jwk, "kty") != "EC" || Json.Text(jwk, "crv") != "P-256")
            {
                throw new FormatException("one of them is not for ES256");
            }
            return new[] { Json.Text(jwk, "x"), Json.Text(jwk, "y") };
        }

        private static string[] FromPem(string text)
        {
            // SubjectPublicKeyInfo (RFC 5480) of a P-256 key, up to its two coordinates.
            const string Prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
            Match match = Regex.Match(text, @"^-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----\z");
            byte[] der = Machine.Attempt(() => Convert.FromBase64String(match.Groups[1].Value), new byte[0]);
            if (der.Length != 91 || !Machine.Hex(der, "").StartsWith(Prefix, StringComparison.Ordinal))
            {
                throw new FormatException("one of them is not a P-256 public key in PEM format");
            }
            string x = Convert.ToBase64String(der, 27, 32), y = Convert.ToBase64String(der, 59, 32);
            return new[] { Base64Url.FromBase64(x), Base64Url.FromBase64(y) };
        }

        internal bool HasSigned(byte[] data, byte[] signature) =>
            signature.Length == 64 && Crypto.Verify(x, y, Crypto.Sha256(data), signature);
    }

    /// <summary>The framework's cryptography. This is the only place that decides who verifies a signature: the framework
    /// (on Windows, CNG), or <see cref="MonoP256"/> on Mono, which has no ECDSA.</summary>
    internal static class Crypto
    {
        private static readonly bool IsMono = Type.GetType("Mono.Runtime") != null;

        internal static byte[] Sha256(byte[] data)
        {
#if NET6_0_OR_GREATER
            return SHA256.HashData(data);
#else
            // FIPS-validated, so it also works where Windows enforces FIPS mode; SHA256Managed may not.
            using (var sha256 = new SHA256CryptoServiceProvider())
            {
                return sha256.ComputeHash(data);
            }
#endif
        }

        /// <summary>Whether these are the coordinates of a public key.</summary>
        internal static bool IsOnCurve(byte[] x, byte[] y)
        {
            if (IsMono)
            {
                return MonoP256.IsOnCurve(x, y);
            }
            try
            {
                Import(x, y).Dispose();
                return true;
            }
            catch (CryptographicException)
            {
                return false;
            }
        }

        /// <summary>Whether the owner of this key signed the hash; the signature is r and s, 32 bytes each.</summary>
        internal static bool Verify(byte[] x, byte[] y, byte[] hash, byte[] signature)
        {
            if (IsMono)
            {
                return MonoP256.Verify(x, y, hash, signature);
            }
            try
            {
                using (ECDsa key = Import(x, y))
                {
                    return key.VerifyHash(hash, signature);
                }
            }
            catch (CryptographicException)
            {
                return false;
            }
        }

        private static ECDsa Import(byte[] x, byte[] y)
        {
            var point = new ECPoint { X = x, Y = y };
            return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point });
        }
    }

    /// <summary>ECDSA over P-256 (FIPS 186-5), for Mono only. All of its input is public, so nothing here has to run in
    /// constant time.</summary>
    internal static class MonoP256
    {
        private static readonly BigInteger P = Number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
        private static readonly BigInteger N = Number("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        private static readonly BigInteger B = Number("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
        private static readonly Point G = new Point(
            Number("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
            Number("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"), 1);

        /// <summary>(X/Z^2, Y/Z^3); where Z is 0, the point at infinity.</summary>
        private struct Point
        {
            internal readonly BigInteger X, Y, Z;

            internal Point(BigInteger x, BigInteger y, BigInteger z)
            {
                X = Modulo(x, P);
                Y = Modulo(y, P);
                Z = Modulo(z, P);
            }
        }

        internal static bool IsOnCurve(byte[] x, byte[] y)
        {
            BigInteger a = Number(x), b = Number(y);
            return a < P && b < P && ((b * b - a * a * a + 3 * a - B) % P).IsZero;
        }

        internal static bool Verify(byte[] x, byte[] y, byte[] hash, byte[] signature)
        {
            string hex = Machine.Hex(signature, "");
            BigInteger r = Number(hex.Substring(0, 64)), s = Number(hex.Substring(64));
            if (r.IsZero || r >= N || s.IsZero || s >= N)
            {
                return false;
            }
            // N and P are prime: the power of N - 2 is the inverse, and that of P - 3 the inverse of the square (Fermat).
            BigInteger inverse = BigInteger.ModPow(s, N - 2, N);
            Point sum = SumOfMultiples(Number(hash) * inverse % N, G, r * inverse % N, new Point(Number(x), Number(y), 1));
            return !sum.Z.IsZero && sum.X * BigInteger.ModPow(sum.Z, P - 3, P) % P % N == r;
        }

        /// <summary>a * p + b * q, both in one pass over the bits (Shamir).</summary>
        private static Point SumOfMultiples(BigInteger a, Point p, BigInteger b, Point q)
        {
            Point both = Add(p, q), sum = new Point(1, 1, 0);
            for (int bit = 255; bit >= 0; bit--)
            {
                sum = Double(sum);
                bool addP = !(a >> bit).IsEven, addQ = !(b >> bit).IsEven;
                if (addP || addQ)
                {
                    sum = Add(sum, addP && addQ ? both : addP ? p : q);
                }
            }
            return sum;
        }

        private static Point Double(Point p)
        {
            BigInteger delta = p.Z * p.Z % P, gamma = p.Y * p.Y % P, beta = p.X * gamma % P;
            BigInteger alpha = 3 * (p.X - delta) * (p.X + delta) % P, x = (alpha * alpha - 8 * beta) % P;
            return new Point(x, alpha * (4 * beta - x) - 8 * gamma * gamma, 2 * p.Y * p.Z);
        }

        private static Point Add(Point p, Point q)
        {
            if (p.Z.IsZero || q.Z.IsZero)
            {
                return p.Z.IsZero ? q : p;
            }
            BigInteger pz2 = p.Z * p.Z % P, qz2 = q.Z * q.Z % P;
            BigInteger u = p.X * qz2 % P, s = p.Y * qz2 * q.Z % P;
            BigInteger h = (q.X * pz2 - u) % P, r = (q.Y * pz2 * p.Z - s) % P;
            if (h.IsZero)
            {
                return r.IsZero ? Double(p) : new Point(1, 1, 0);
            }
            BigInteger h2 = h * h % P, h3 = h * h2 % P, v = u * h2 % P, x = (r * r - h3 - 2 * v) % P;
            return new Point(x, r * (v - x) - s * h3, h * p.Z * q.Z);
        }

        private static BigInteger Modulo(BigInteger number, BigInteger modulus)
        {
            BigInteger rest = number % modulus;
            return rest.Sign < 0 ? rest + modulus : rest;
        }

        private static BigInteger Number(byte[] bytes) => Number(Machine.Hex(bytes, ""));

        private static BigInteger Number(string hex)
        {
            // A leading zero, or the number may be read as a negative one.
            return BigInteger.Parse("0" + hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }
    }

    // ---- The machine ID ----

    /// <summary>The IDs that this computer can be known by.</summary>
    internal sealed class MachineIds
    {
        internal static readonly MachineIds None = new MachineIds("", "", new string[0]);

        internal readonly string Earlier;  // what version 1.1.0 sent
        internal readonly string Preferred;  // the one that is likeliest to survive changes of the hardware
        internal readonly List<string> All;

        internal MachineIds(string earlier, string preferred, IEnumerable<string> present)
        {
            Earlier = earlier;
            Preferred = preferred;
            All = present.Concat(new[] { earlier, preferred }).Where(id => id.Length > 0).Distinct().ToList();
        }
    }

    /// <summary>Finds the same IDs as license_client.py on Windows: the hardware addresses of the network adapters, and the
    /// operating system's ID.</summary>
    internal static class Machine
    {
        // How permanent an adapter is, best first. Whether it is connected does not matter, or the ID would change whenever
        // Wi-Fi is turned off.
        internal const int Wired = 0, Wireless = 1, Removable = 2, Emulated = 3, Virtual = 4;

        private const int Multicast = 1, Local = 2;  // bits in the first byte of an address

        // Vendors of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters (Cisco, Fortinet,
        // OpenVPN), some of which give every computer the same address.
        private static readonly string[] SoftwareVendors =
        {
            "000569", "000c29", "001c14", "005056", "0003ff", "00155d", "080027", "001c42", "00163e",
            "00059a", "00090f", "00ff",
        };

        // Boards with an unprogrammed adapter: of no vendor, Realtek's, and that of a common Realtek clone.
        private static readonly string[] Placeholders = { "000000000001", "00e04c000001", "888888888788" };

        internal sealed class Adapter
        {
            internal byte[] Mac;
            internal int Rank, EarlierRank;

            internal bool IsUsable => Mac.Length == 6 && Mac.Any(b => b != 0) && (Mac[0] & Multicast) == 0;

            /// <summary>Whether many computers have this address: a listed one, one without a serial number, or one in
            /// equal steps, such as 00:00:00:00:00:00, 00:11:22:33:44:55, 12:34:56:78:9a:bc or 00:01:02:03:04:05.</summary>
            internal bool IsPlaceholder =>
                (Mac[3] | Mac[4] | Mac[5]) == 0 || Placeholders.Contains(Hex(Mac, "")) ||
                    Enumerable.Range(1, 5).All(i => (Mac[i] - Mac[i - 1] & 255) == (Mac[1] - Mac[0] & 255));

            /// <summary>The better adapter has the smaller key, compared as text.</summary>
            internal string SortKey(int rank, int emulatedRank)
            {
                string mac = Hex(Mac, "");
                bool isEmulated = SoftwareVendors.Any(vendor => mac.StartsWith(vendor, StringComparison.Ordinal));
                return (Mac[0] & Local) + "," + (isEmulated ? Math.Max(rank, emulatedRank) : rank) + "," + Hex(Mac, ":");
            }
        }

        internal static MachineIds Find()
        {
            bool isWindows = Environment.OSVersion.Platform == PlatformID.Win32NT;
            List<Adapter> adapters = Attempt(isWindows ? (Func<List<Adapter>>)WindowsAdapters : OtherAdapters,
                new List<Adapter>());
            string systemId = Attempt(isWindows ? (Func<string>)WindowsMachineGuid : LinuxMachineId, "");
            return Choose(adapters, systemId ?? "", !isWindows && IsContainer());
        }

        internal static T Attempt<T>(Func<T> function, T fallback)
        {
            try
            {
                return function();
            }
            catch (Exception)
            {
                return fallback;
            }
        }

        internal static MachineIds Choose(List<Adapter> found, string systemId, bool isContainer)
        {
            List<Adapter> usable = found.Where(adapter => adapter.IsUsable).ToList();
            List<Adapter> real = usable.Where(adapter => !adapter.IsPlaceholder).ToList();
            string earlier = Best(usable.Select(adapter => adapter.SortKey(adapter.EarlierRank, Emulated)), systemId);
            string preferred = isContainer && systemId.Length > 0 ? systemId
                : Best(real.Select(adapter => adapter.SortKey(adapter.Rank, Virtual)), systemId);
            return new MachineIds(earlier, preferred, real.Select(adapter => Hex(adapter.Mac, ":")).Concat(new[] { systemId }));
        }

        /// <remarks>Software makes up the addresses of virtual adapters and locally administered ones, and changes them;
        /// they are used only if there is nothing better.</remarks>
        private static string Best(IEnumerable<string> sortKeys, string systemId)
        {
            string[] best = (sortKeys.OrderBy(key => key, StringComparer.Ordinal).FirstOrDefault() ?? ",,").Split(',');
            bool isGood = best[0] == "0" && best[1] != Virtual.ToString(CultureInfo.InvariantCulture);
            return isGood || systemId.Length == 0 ? best[2] : systemId;
        }

        internal static string Hex(byte[] bytes, string separator) =>
            BitConverter.ToString(bytes).Replace("-", separator).ToLowerInvariant();

        /// <summary>The first 30 bits of a hash, five in each character. All spellings of a hardware address have the same
        /// code.</summary>
        internal static string Code(string tool, string licenseKey)
        {
            const string Alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
            const string Address = @"^([0-9a-f]{2}([-:. ]?)[0-9a-f]{2}(\2[0-9a-f]{2}){4}|[0-9a-f]{4}([-:. ])[0-9a-f]{4}\4[0-9a-f]{4})\z";
            string key = licenseKey.Trim();
            if (Regex.IsMatch(key, Address, AnyCase))
            {
                string digits = Regex.Replace(key, "[-:. ]", "").ToLowerInvariant();
                key = string.Join(":", Enumerable.Range(0, 6).Select(i => digits.Substring(2 * i, 2)));
            }
            byte[] hash = Crypto.Sha256(Encoding.UTF8.GetBytes(tool + "\n" + key));
            uint bits = (uint)hash[0] << 24 | (uint)hash[1] << 16 | (uint)hash[2] << 8 | hash[3];
            string code = new string(Enumerable.Range(0, 6).Select(i => Alphabet[(int)(bits >> 27 - 5 * i) & 31]).ToArray());
            return key.Length == 0 ? "" : code.Insert(3, "-");
        }

        // ---- Windows ----

        private const RegexOptions AnyCase = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;
        private const string VirtualNames =
            @"virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor";
        private const string RemovableNames =
            @"usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile";

        [DllImport("iphlpapi.dll")]
        private static extern uint GetAdaptersAddresses(uint family, uint flags, IntPtr reserved, IntPtr addresses,
            ref uint size);

        [DllImport("iphlpapi.dll")]
        private static extern uint GetIfEntry2([In, Out] byte[] row);

        private static List<Adapter> WindowsAdapters()
        {
            // Disconnected adapters are always listed. The flag 0x100 (all interfaces) adds those whose TCP/IP a Hyper-V
            // switch, a team or a bridge has taken over; the other flags skip lists that are not needed.
            const uint Flags = 0x100 | 0x01 | 0x02 | 0x04 | 0x08, BufferOverflow = 111;
            uint size = 32 * 1024;
            for (int i = 0; i < 4; i++)  // the list may grow between two calls
            {
                IntPtr buffer = Marshal.AllocHGlobal((int)size);
                try
                {
                    uint code = GetAdaptersAddresses(0, Flags, IntPtr.Zero, buffer, ref size);
                    if (code == 0)
                    {
                        return ReadWindowsList(buffer, row => GetIfEntry2(row) == 0);
                    }
                    if (code != BufferOverflow)
                    {
                        break;
                    }
                }
                finally
                {
                    Marshal.FreeHGlobal(buffer);
                }
            }
            throw new NotSupportedException("GetAdaptersAddresses");
        }

        /// <summary>Reads the list of IP_ADAPTER_ADDRESSES_LH (iptypes.h), and the MIB_IF_ROW2 (netioapi.h) of each.</summary>
        private static List<Adapter> ReadWindowsList(IntPtr entry, Func<byte[], bool> fillRow)
        {
            const int Ethernet = 6, Wifi = 71;
            // Field offsets depend on the pointer size: for example, seven pointers precede Description.
            int pointer = IntPtr.Size, next = 8, name = 8 + pointer, description = 8 + 7 * pointer, address = 8 + 9 * pointer;
            int addressLength = address + 8, type = address + 20, luid = 128 + 12 * pointer;
            const int RowSize = 1352, RowPermanentAddress = 1092, RowFlags = 1152;
            var adapters = new List<Adapter>();
            for (; entry != IntPtr.Zero; entry = Marshal.ReadIntPtr(entry, next))
            {
                int kind = Marshal.ReadInt32(entry, type);
                if (kind != Ethernet && kind != Wifi)
                {
                    continue;
                }
                // The row has the address that Windows' "random hardware addresses" hide.
                var row = new byte[RowSize];
                Buffer.BlockCopy(BitConverter.GetBytes(Marshal.ReadInt64(entry, luid)), 0, row, 0, 8);
                bool known = fillRow(row);
                var mac = new byte[6];
                Buffer.BlockCopy(row, RowPermanentAddress, mac, 0, 6);
                if (!known || mac.All(b => b == 0))
                {
                    mac = new byte[Math.Max(0, Math.Min(8, Marshal.ReadInt32(entry, addressLength)))];
                    Marshal.Copy(new IntPtr(entry.ToInt64() + address), mac, 0, mac.Length);
                }
                bool isHardware = !known || (row[RowFlags] & 1) != 0;
                string words = Marshal.PtrToStringUni(Marshal.ReadIntPtr(entry, description)) ?? "";
                string guid = Marshal.PtrToStringAnsi(Marshal.ReadIntPtr(entry, name)) ?? "";
                string device = Attempt(() => RegistryText(ConnectionKey.Replace("*", guid), "PnPInstanceID"), null);
                adapters.Add(NewWindowsAdapter(mac, words, kind == Wifi, isHardware, device,
                    id => Attempt(() => DeviceParents(id), new List<string>())));
            }
            return adapters;
        }

        /// <param name="device">The device's ID, if it is known, such as PCI\VEN_8086&amp;DEV_15F3\3&amp;11583659&amp;0&amp;FE.</param>
        /// <param name="findParents">What says of which kind the devices are that it is connected through.</param>
        internal static Adapter NewWindowsAdapter(byte[] mac, string description, bool isWifi, bool isHardware, string device,
            Func<string, IEnumerable<string>> findParents)
        {
            int builtIn = isWifi ? Wireless : Wired;
            int byWords = !isHardware || Regex.IsMatch(description, VirtualNames, AnyCase) ? Virtual
                : Regex.IsMatch(description, RemovableNames, AnyCase) ? Removable : builtIn;
            int byBus = string.IsNullOrEmpty(device) ? byWords
                : !isHardware || Regex.IsMatch(device, @"^((ROOT|SWD|BTH|VMBUS)\\|\{)", AnyCase) ? Virtual
                : Regex.IsMatch(device, @"^(USB|USB4|PCMCIA)\\", AnyCase) ||
                    Regex.IsMatch(string.Join(" ", findParents(device)), "thunderbolt|usb4", AnyCase) ? Removable : builtIn;
            return new Adapter { Mac = mac, EarlierRank = byWords, Rank = byBus };
        }

        [DllImport("cfgmgr32.dll", CharSet = CharSet.Unicode)]
        private static extern int CM_Locate_DevNodeW(out uint device, string id, uint flags);

        [DllImport("cfgmgr32.dll")]
        private static extern int CM_Get_Parent(out uint parent, uint device, uint flags);

        [DllImport("cfgmgr32.dll", CharSet = CharSet.Unicode)]
        private static extern int CM_Get_Device_IDW(uint device, StringBuilder text, int length, uint flags);

        [DllImport("cfgmgr32.dll", CharSet = CharSet.Unicode)]
        private static extern int CM_Get_DevNode_Registry_PropertyW(uint device, uint property, IntPtr type,
            StringBuilder text, ref int bytes, uint flags);

        /// <summary>The IDs and descriptions of the devices that this one is plugged into.</summary>
        private static List<string> DeviceParents(string id)
        {
            const uint Description = 1;  // CM_DRP_DEVICEDESC
            var parents = new List<string>();
            uint device;
            bool isFound = CM_Locate_DevNodeW(out device, id, 0) == 0;
            while (isFound && CM_Get_Parent(out device, device, 0) == 0)
            {
                var text = new StringBuilder(512);
                int bytes = 2 * text.Capacity;
                parents.Add(CM_Get_Device_IDW(device, text, text.Capacity, 0) == 0 ? text.ToString() : "");
                parents.Add(CM_Get_DevNode_Registry_PropertyW(device, Description, IntPtr.Zero, text, ref bytes, 0) == 0
                    ? text.ToString() : "");
            }
            return parents;
        }

        private const string ConnectionKey =
            @"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}\*\Connection";

        private static string WindowsMachineGuid() => RegistryText(@"SOFTWARE\Microsoft\Cryptography", "MachineGuid").Trim();

        private static string RegistryText(string path, string name)
        {
#if NET6_0_OR_GREATER
            if (!OperatingSystem.IsWindows())
            {
                return "";
            }
#endif
            // A 32-bit program would otherwise see another part of the registry, which does not have these values.
            using (var machine = Microsoft.Win32.RegistryKey.OpenBaseKey(Microsoft.Win32.RegistryHive.LocalMachine,
                Microsoft.Win32.RegistryView.Registry64))
            using (var key = machine.OpenSubKey(path))
            {
                return (string)key.GetValue(name);
            }
        }

        [DllImport("kernel32.dll")]
        private static extern ulong GetTickCount64();

        // ---- Other platforms ----

        private static List<Adapter> OtherAdapters()
        {
            return NetworkInterface.GetAllNetworkInterfaces().Where(found =>
                found.NetworkInterfaceType == NetworkInterfaceType.Wireless80211 ||
                found.NetworkInterfaceType == NetworkInterfaceType.Ethernet).Select(found =>
            {
                // Linux shows which adapters are devices, and which addresses are permanent.
                string folder = "/sys/class/net/" + found.Name;
                bool isLinux = Directory.Exists("/sys/class/net");
                bool isDevice = isLinux ? Directory.Exists(folder + "/device") && ReadText(folder + "/addr_assign_type") == "0"
                    : found.Name == "en0";
                bool isWifi = found.NetworkInterfaceType == NetworkInterfaceType.Wireless80211 ||
                    Directory.Exists(folder + "/phy80211");
                int rank = !isDevice ? Virtual : isWifi ? Wireless : Wired;
                return new Adapter
                {
                    Mac = found.GetPhysicalAddress().GetAddressBytes(),
                    EarlierRank = rank,
                    Rank = isDevice && isLinux ? LinuxRank(RealPath(folder + "/device"), rank) : rank,
                };
            }).ToList();
        }

        private static int LinuxRank(string device, int rank)
        {
            if (device.Contains("/virtual/"))
            {
                return Virtual;
            }
            for (string folder = device; folder.StartsWith("/sys/devices/", StringComparison.Ordinal);
                folder = Path.GetDirectoryName(folder))
            {
                if (Path.GetFileName(folder).StartsWith("usb", StringComparison.Ordinal) ||
                    ReadText(folder + "/removable") == "removable")  // also behind a Thunderbolt port
                {
                    return Removable;
                }
            }
            return rank;
        }

        [DllImport("libc")]
        private static extern IntPtr realpath(string path, [Out] byte[] resolved);

        private static string RealPath(string path)
        {
            var resolved = new byte[4097];  // PATH_MAX
            return Attempt(() => realpath(path, resolved), IntPtr.Zero) == IntPtr.Zero ? path
                : Encoding.UTF8.GetString(resolved).Split('\0')[0];
        }

        /// <summary>Whether this is a container or WSL, where the adapters' addresses change at each start.</summary>
        private static bool IsContainer() =>
            File.Exists("/.dockerenv") || File.Exists("/run/.containerenv") ||
                Regex.IsMatch(ReadText("/proc/sys/kernel/osrelease"), "microsoft", AnyCase);

        private static string LinuxMachineId()
        {
            return new[] { "/etc/machine-id", "/var/lib/dbus/machine-id" }.Select(ReadText)
                .FirstOrDefault(text => Regex.IsMatch(text, @"^[0-9a-f]{32}\z")) ?? "";
        }

        private static string ReadText(string path) => Attempt(() => File.ReadAllText(path).Trim(), "");

        /// <summary>For how many seconds this computer has been running, or at least a part of that time; null if that is
        /// not known.</summary>
        internal static long? Uptime()
        {
            if (Environment.OSVersion.Platform == PlatformID.Win32NT)
            {
                return Attempt<long?>(() => (long)(GetTickCount64() / 1000), null);
            }
            // Elsewhere not Stopwatch: it stands still while the computer sleeps, unlike what the other clients store.
            long seconds;
            return long.TryParse(ReadText("/proc/uptime").Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture,
                out seconds) ? seconds : (long?)null;
        }
    }

#if !NET6_0_OR_GREATER
    // Only newer compilers look for these attributes, and find those of .NET.
    internal sealed class AllowNullAttribute : Attribute
    {
    }

    internal sealed class MaybeNullAttribute : Attribute
    {
    }
#endif
}
