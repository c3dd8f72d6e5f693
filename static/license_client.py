"""Asks a license server, when a program starts, whether this computer may run it.

Ship this one file inside your program (Python 3.8 or later, nothing to install) and call it before
the main window opens:

    import sys
    from license_client import LicenseClient

    client = LicenseClient("https://example.com/licenseserver")
    is_valid, message = client.check_license("YourToolName")
    if not is_valid:
        print(message)  # or a message box: the words are meant for your customer
        sys.exit(1)

On the telephone, `python license_client.py SERVER TOOL` shows the customer's machine id, which is
the license key that the vendor enters in the dashboard, and the verdict.
"""

import array
import collections
import ctypes
import http.client
import ipaddress
import json
import os
import queue
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Tuple

__all__ = ["LicenseClient"]
__version__ = "1.0.0"

# What the customer reads; translate freely. Only the server itself says that a license is invalid:
# someone who has paid must not read that because a cable is loose.
NO_ANSWER = ("The license server cannot be reached at {address} ({why}). "
             "Please check the internet connection and the firewall, then try again.")
NOT_OURS = ("The license server did not answer properly at {address} ({why}). Please try again in a "
            "few minutes. If this does not help, contact the vendor of this program.")
BAD_ADDRESS = ("The license server cannot be reached: this program looks for it at \"{address}\", "
               "which is not a web address. Please contact the vendor of this program.")
BAD_TOOL_NAME = ("The license cannot be checked: this program does not say what it is called. "
                 "Please contact the vendor of this program.")
NO_MACHINE_ID = ("The license cannot be checked: this computer has no machine id. Please switch on its "
                 "network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.")

DEFAULT_TIMEOUT = 5.0
LONGEST_ANSWER = 64 * 1024
MOST_REDIRECTS = 5


class LicenseClient:
    """Asks one license server about this computer; no method raises an exception."""

    def __init__(self, server_url: str, timeout: float = DEFAULT_TIMEOUT):
        self.server_url = server_url
        # Without a usable limit a start could hang for ever.
        usable = isinstance(timeout, (int, float)) and 0 < timeout <= 3600
        self.timeout = timeout if usable else DEFAULT_TIMEOUT
        self._machine_id = ""

    def machine_id(self) -> str:
        """The license key of this computer, or "" if it has nothing to be told apart by."""
        self._machine_id = self._machine_id or _find_machine_id()
        return self._machine_id

    def check_license(self, tool_name: str) -> Tuple[bool, str]:
        """Whether this computer may run the tool, and a message for the customer, within `timeout` seconds."""
        try:
            return self._check(tool_name)
        except Exception as error:
            message, why = _explain(error)
            return False, message.format(address=_shown(self.server_url), why=why)

    def _check(self, tool_name):
        url = _check_url(self.server_url)
        if not isinstance(tool_name, str) or not tool_name:
            raise _NoVerdict(BAD_TOOL_NAME)
        if not self.machine_id():
            raise _NoVerdict(NO_MACHINE_ID)
        question = {"tool_name": tool_name, "license_key": self.machine_id()}
        body = json.dumps(question, ensure_ascii=False).encode("utf-8", "replace")
        deadline = time.monotonic() + self.timeout
        status, answer = _within(self.timeout, _post, url, body, deadline)
        return _verdict(status, answer)


# ---- The words for everything that is not a verdict ----

class _NoVerdict(Exception):
    """Carries one of the messages above, and why where the message has room for it."""


_REASONS = (
    ((TimeoutError, socket.timeout), "no answer in time"),  # two classes until Python 3.10
    (ssl.SSLError, "no secure connection; is the date of this computer right?"),
    (socket.gaierror, "this name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
)


def _explain(error):
    if isinstance(error, _NoVerdict):
        return error.args[0], error.args[-1]
    if isinstance(error, urllib.error.URLError):
        error = error.reason
    # A connection that was closed without a word is both an HTTPException and an OSError.
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        return NOT_OURS, "not an answer of a web server"
    for kind, why in _REASONS:
        if isinstance(error, kind):
            return NO_ANSWER, why
    return NO_ANSWER, "no connection"


def _shown(server_url):
    text = server_url.strip()[:200] if isinstance(server_url, str) else type(server_url).__name__
    # An address may contain the one word that is reserved for verdicts.
    return "its address" if "invalid" in text.lower() else text


# ---- The question and the answer ----

def _split(address):
    """Split an http(s) address into parts that urllib takes as they are, or raise ValueError."""
    parts = urllib.parse.urlsplit(address.strip())
    host = (parts.hostname or "").encode("idna").decode("ascii")
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ValueError("neither http nor https, or a password in the address")
    if not re.fullmatch(r"[0-9a-z._:-]+", host):
        raise ValueError("no host name")
    netloc = "[%s]" % host if ":" in host else host
    if parts.port is not None:
        netloc += ":%d" % parts.port
    path, query = (urllib.parse.quote(part, safe="/%:@!$&'()*+,;=~?") for part in (parts.path, parts.query))
    return urllib.parse.SplitResult(parts.scheme, netloc, path, query, "")


def _check_url(server_url):
    try:
        parts = _split(server_url)
    except (ValueError, TypeError, AttributeError):
        raise _NoVerdict(BAD_ADDRESS) from None
    return parts._replace(path=parts.path.rstrip("/") + "/api/check", query="")


def _within(seconds, function, *arguments):
    """Call the function, but wait no longer than this for its result.

    A time limit on a socket starts anew with every byte and does not cover looking up a name. The
    thread is a daemon: left behind, it ends with its connection or silently with the program.
    """
    results = queue.Queue()

    def run():
        try:
            results.put((function(*arguments), None))
        except Exception as error:
            results.put((None, error))

    threading.Thread(target=run, name="license check", daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


class _AsAnswered(urllib.request.HTTPErrorProcessor):
    """Returns every answer as it is: a refusal is no error, and urllib turns a redirected POST into GET."""

    def http_response(self, request, response):
        return response

    https_response = http_response


def _opener(host):
    # Many offices reach the internet only through a proxy; urllib takes it from the environment or
    # from the Windows settings. A server on this computer is never asked through one: seen from the
    # proxy, "localhost" is the proxy.
    if _is_loopback(host):
        return urllib.request.build_opener(_AsAnswered, urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(_AsAnswered)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _post(url, body, deadline):
    """Send the question and return (HTTP status, body of the answer), following redirects."""
    headers = {"Content-Type": "application/json", "User-Agent": "license_client.py/" + __version__}
    for _ in range(1 + MOST_REDIRECTS):
        request = urllib.request.Request(url.geturl(), body, headers, method="POST")
        patience = max(deadline - time.monotonic(), 0.001)
        with _opener(url.hostname).open(request, timeout=patience) as response:
            location = response.headers.get("Location")
            if response.status not in (301, 302, 307, 308) or not location:
                return response.status, _read(response, deadline)
        url = _redirected(url, location)
    raise _NoVerdict(NOT_OURS, "too many redirects")


def _redirected(url, location):
    """Where a redirect leads to; a good one stays with the server and never gives up encryption."""
    try:
        target = _split(urllib.parse.urljoin(url.geturl(), location))
    except ValueError:
        raise _NoVerdict(NOT_OURS, "redirect to nowhere") from None
    if target.hostname != url.hostname or (url.scheme, target.scheme) == ("https", "http"):
        raise _NoVerdict(NOT_OURS, "redirect to another address")
    return target


def _read(response, deadline):
    body = b""
    while len(body) <= LONGEST_ANSWER and time.monotonic() < deadline:
        # Small pieces, so that a server that drips does not keep the thread far beyond the deadline.
        piece = response.read(256)
        if not piece:
            return body
        body += piece
    raise _NoVerdict(NOT_OURS, "an endless answer")


def _verdict(status, body):
    """The server's verdict, and nobody else's: a proxy too answers 200, 403 and 404."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        verdict, message = answer.get("status"), answer.get("message")
        if status == 200 and verdict == "valid":
            return True, message if isinstance(message, str) else ""
        if status in (403, 404) and verdict in ("invalid", "expired") and isinstance(message, str):
            return False, message
    raise _NoVerdict(NOT_OURS, "HTTP %d" % status)


# ---- The machine id ----

# How firmly an adapter belongs to the computer. Whether it is connected does not count, or the id
# would change whenever Wi-Fi is switched off.
WIRED, WIRELESS, REMOVABLE, EMULATED, VIRTUAL = range(5)

MULTICAST, LOCAL = 1, 2  # bits in the first byte of an address

# Makers of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters
# (Cisco, Fortinet, OpenVPN), some of which give every computer the same address.
_SOFTWARE_MAKERS = tuple(map(bytes.fromhex, (
    "000569 000c29 001c14 005056 0003ff 00155d 080027 001c42 00163e 00059a 00090f 00ff").split()))


_Adapter = collections.namedtuple("_Adapter", "mac rank")


def _find_machine_id():
    find_adapters, find_system_id = {
        "win32": (_windows_adapters, _windows_machine_guid),
        "darwin": (_macos_adapters, _macos_platform_uuid),
    }.get(sys.platform, (_linux_adapters, _linux_machine_id))
    return _choose(_attempt(find_adapters, []), lambda: _attempt(find_system_id, ""))


def _attempt(function, otherwise):
    # What one source of ids cannot tell, the next one may.
    try:
        return function()
    except Exception:
        return otherwise


def _choose(adapters, find_system_id):
    """The address burned into the most firmly built-in adapter, or else the operating system's id.

    The addresses of virtual adapters and locally administered ones are made up by software and
    change with it; they serve only when there is nothing better.
    """
    usable = [a for a in adapters if len(a.mac) == 6 and any(a.mac) and not a.mac[0] & MULTICAST]
    best = min(usable, key=_precedence, default=None)
    mac = best.mac.hex(":") if best else ""
    if best and best.rank < VIRTUAL and not best.mac[0] & LOCAL:
        return mac
    return find_system_id() or mac


def _precedence(adapter):
    emulated = adapter.mac.startswith(_SOFTWARE_MAKERS)
    rank = max(adapter.rank, EMULATED) if emulated else adapter.rank
    return adapter.mac[0] & LOCAL, rank, adapter.mac


# ---- The machine id: Windows ----

_VIRTUAL_NAMES = re.compile(
    r"virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor", re.I)
_REMOVABLE_NAMES = re.compile(
    r"usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile", re.I)


class _AdapterAddresses(ctypes.Structure):
    """The beginning of IP_ADAPTER_ADDRESSES_LH (iptypes.h); neighbours that are not read share a field."""

    _fields_ = [
        ("LengthAndIfIndex", ctypes.c_uint32 * 2),
        ("Next", ctypes.c_void_p),
        ("AdapterNameToDnsSuffix", ctypes.c_void_p * 6),
        ("Description", ctypes.c_wchar_p),
        ("FriendlyName", ctypes.c_void_p),
        ("PhysicalAddress", ctypes.c_uint8 * 8),
        ("PhysicalAddressLength", ctypes.c_uint32),
        ("FlagsAndMtu", ctypes.c_uint32 * 2),
        ("IfType", ctypes.c_uint32),
        ("OperStatusToZoneIndices", ctypes.c_uint32 * 18),
        ("FirstPrefix", ctypes.c_void_p),
        ("LinkSpeeds", ctypes.c_uint64 * 2),
        ("FirstWinsServerAndGateway", ctypes.c_void_p * 2),
        ("Metrics", ctypes.c_uint32 * 2),
        ("Luid", ctypes.c_uint64),
    ]


class _InterfaceRow(ctypes.Structure):
    """MIB_IF_ROW2 (netioapi.h), all of its 1352 bytes."""

    _fields_ = [
        ("InterfaceLuid", ctypes.c_uint64),
        ("InterfaceIndexAndGuid", ctypes.c_uint32 * 5),
        ("AliasAndDescription", ctypes.c_uint16 * (2 * 257)),
        ("PhysicalAddressLength", ctypes.c_uint32),
        ("PhysicalAddress", ctypes.c_uint8 * 32),
        ("PermanentPhysicalAddress", ctypes.c_uint8 * 32),
        ("MtuToDirectionType", ctypes.c_uint32 * 7),
        ("InterfaceAndOperStatusFlags", ctypes.c_uint8),
        ("OperStatusToOutQLen", ctypes.c_uint8 * 199),
    ]


def _windows_adapters():
    # Disconnected adapters are always listed. The flag 0x100 (all interfaces) adds those whose TCP/IP a
    # Hyper-V switch, a team or a bridge has taken over; the other flags skip lists that nobody reads.
    flags, buffer_overflow = 0x100 | 0x01 | 0x02 | 0x04 | 0x08, 111
    iphlpapi = ctypes.WinDLL("iphlpapi")
    size = ctypes.c_uint32(32 * 1024)
    for _ in range(4):  # the list may grow between two calls
        buffer = ctypes.create_string_buffer(size.value)
        code = iphlpapi.GetAdaptersAddresses(0, flags, None, buffer, ctypes.byref(size))
        if code != buffer_overflow:
            break
    if code:
        raise OSError(code, "GetAdaptersAddresses")
    return list(_windows_walk(ctypes.addressof(buffer), iphlpapi.GetIfEntry2))


def _windows_walk(address, get_if_entry2):
    ethernet, wifi = 6, 71
    while address:
        entry = _AdapterAddresses.from_address(address)
        address = entry.Next
        if entry.IfType not in (ethernet, wifi):
            continue
        # The row knows the address that Windows' "random hardware addresses" cover up.
        row = _InterfaceRow(InterfaceLuid=entry.Luid)
        known = get_if_entry2(ctypes.byref(row)) == 0
        mac = bytes(row.PermanentPhysicalAddress)[:6]
        if not known or not any(mac):
            mac = bytes(entry.PhysicalAddress)[:entry.PhysicalAddressLength]
        is_hardware = not known or bool(row.InterfaceAndOperStatusFlags & 1)
        yield _Adapter(mac, _windows_rank(entry.Description or "", entry.IfType == wifi, is_hardware))


def _windows_rank(description, is_wifi, is_hardware):
    if not is_hardware or _VIRTUAL_NAMES.search(description):
        return VIRTUAL
    if _REMOVABLE_NAMES.search(description):
        return REMOVABLE
    return WIRELESS if is_wifi else WIRED


def _windows_machine_guid():
    import winreg
    # A 32-bit program would otherwise be shown another registry, which has no such value.
    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).strip()


# ---- The machine id: Linux ----

def _linux_adapters(root="/sys/class/net"):
    folders = (os.path.join(root, name) for name in os.listdir(root))
    return [_linux_adapter(folder) for folder in folders if _read_text(folder, "type") == "1"]  # Ethernet


def _linux_adapter(folder):
    current = bytes.fromhex(_read_text(folder, "address").replace(":", ""))
    burned_in = _attempt(lambda: _linux_permanent_mac(os.path.basename(folder)), b"")
    if not any(burned_in) and _read_text(folder, "addr_assign_type") == "0":
        burned_in = current
    device = os.path.realpath(os.path.join(folder, "device"))
    if not any(burned_in) or not os.path.isdir(device) or "/virtual/" in device:
        return _Adapter(current, VIRTUAL)
    if "/usb" in device or _read_text(device, "removable") == "removable":
        return _Adapter(burned_in, REMOVABLE)
    return _Adapter(burned_in, WIRELESS if os.path.isdir(os.path.join(folder, "phy80211")) else WIRED)


def _linux_permanent_mac(name):
    """Ask the driver: members of a bond share one address, and Wi-Fi uses random ones while searching."""
    import fcntl
    siocethtool, ethtool_gpermaddr, offset = 0x8946, 0x20, 8
    answer = array.array("B", struct.pack("II32x", ethtool_gpermaddr, 32))
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, siocethtool, request)
    return answer.tobytes()[offset:offset + 6]


def _linux_machine_id():
    for folder in ("/etc", "/var/lib/dbus"):
        text = _read_text(folder, "machine-id")
        if re.fullmatch(r"[0-9a-f]{32}", text):
            return text
    return ""


def _read_text(folder, name):
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read(256).strip()
    except (OSError, ValueError):
        return ""


# ---- The machine id: macOS ----

def _macos_adapters():
    # en0 is built into every Mac. The I/O registry knows its real address, where getifaddrs would
    # give the private one that changes with the Wi-Fi network.
    framework, pointer = "/System/Library/Frameworks/{0}.framework/{0}", ctypes.c_void_p
    iokit, core = (ctypes.CDLL(framework.format(name)) for name in ("IOKit", "CoreFoundation"))
    for function in (iokit.IOBSDNameMatching, iokit.IORegistryEntrySearchCFProperty,
                     core.CFStringCreateWithCString, core.CFDataGetBytePtr):
        function.restype = pointer
    utf8, all_parents = 0x08000100, 1 | 2
    key = pointer(core.CFStringCreateWithCString(None, b"IOMACAddress", utf8))
    en0 = iokit.IOServiceGetMatchingService(0, pointer(iokit.IOBSDNameMatching(0, 0, b"en0")))
    data = en0 and iokit.IORegistryEntrySearchCFProperty(en0, b"IOService", key, None, all_parents)
    return [_Adapter(ctypes.string_at(core.CFDataGetBytePtr(pointer(data)), 6), WIRED)] if data else []


def _macos_platform_uuid():
    host, wait = (ctypes.c_uint8 * 16)(), (ctypes.c_long * 2)(1, 0)  # a uuid_t and a timespec
    if ctypes.CDLL(None).gethostuuid(host, wait):
        return ""
    return str(uuid.UUID(bytes=bytes(host))).upper()


# ---- On the command line ----

USAGE = """usage: license_client.py SERVER TOOL     check the license of TOOL
       license_client.py --machine-id    show the machine id only"""


def main(arguments):
    asks_id, asks_help = arguments == ["--machine-id"], arguments in (["-h"], ["--help"])
    if len(arguments) != 2 and not asks_id:
        _say(USAGE, sys.stdout if asks_help else sys.stderr)
        return 0 if asks_help else 2
    client = LicenseClient("" if asks_id else arguments[0])
    _say("Machine id: " + (client.machine_id() or "none found"), sys.stdout)
    if asks_id:
        return 0 if client.machine_id() else 1
    is_valid, message = client.check_license(arguments[1])
    _say("Verdict: " + ("valid" if is_valid else "not confirmed"), sys.stdout)
    _say("Message: " + message, sys.stdout)
    return 0 if is_valid else 1


def _say(text, stream):
    if stream is None:  # pythonw.exe has no console
        return
    encoding = getattr(stream, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
