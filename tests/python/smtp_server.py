"""A mail server for tests. The local part of a recipient says what goes wrong.

Prints its port, then a JSON line for each mail that it took, which is also in FOLDER.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import json
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--security", choices=["tls", "starttls", "none"], default="none")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--certificate")
parser.add_argument("--login", help="user:password")
options = parser.parse_args()


class Server(SMTP):
    async def smtp_DATA(self, arg):
        trouble = self.envelope.rcpt_tos[0].split("@")[0]
        if trouble == "cut.before":
            self.transport.abort()
        elif trouble == "cut.during":
            await self.push("354 Go on")
            await self._reader.readline()
            self.transport.abort()
        elif trouble == "no.data":
            await self.push("451 4.3.0 No room")
        else:
            await super().smtp_DATA(arg)


class Handler:
    def __init__(self):
        self.tries = {}
        self.taken = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        trouble = address.split("@")[0]
        tries = self.tries[address] = self.tries.get(address, 0) + 1
        if trouble == "grey" and tries == 1:
            return "451 4.7.1 Greylisted, come back later"
        if trouble == "busy":
            return "450 4.2.1 Mailbox busy"
        if trouble == "unknown":
            return "550 5.1.1 No such user here"
        if trouble == "closing" and tries == 1:
            return "421 4.3.2 Shutting down"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        trouble = envelope.rcpt_tos[0].split("@")[0]
        if trouble == "spam":
            return "554 5.7.1 Looks like spam"
        self.take(server, session, envelope)
        if trouble == "cut.after":
            server.transport.abort()
        return "250 2.0.0 Taken"

    def take(self, server, session, envelope):
        raw = envelope.original_content
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        taken = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "encrypted": session.ssl is not None or options.security == "tls",
            "user": session.auth_data if session.authenticated else None,
            "hello": session.host_name,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "subject": mail["Subject"],
            "message_id": mail["Message-ID"],
            "body": mail.get_content().replace("\r\n", "\n"),
            "longest": max(len(line) for line in raw.split(b"\r\n")),
            "is_ascii": raw.isascii(),
        }
        line = json.dumps(taken)
        (options.folder / f"{self.taken:04}.json").write_text(line)
        self.taken += 1
        print(line, flush=True)


def authenticate(server, session, envelope, mechanism, data):
    user = f"{data.login.decode()}:{data.password.decode()}"
    if data.login == b"repeated":
        sent = base64.b64encode(b"\0" + data.login + b"\0" + data.password).decode()
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 AUTH PLAIN {sent[:20]} {sent[20:]}")
    if data.login == b"long":
        return AuthResult(success=False, handled=False, message="535 5.7.8 \x1b[31mWrong" + " password" * 100)
    return AuthResult(success=user == options.login, auth_data=data.login.decode())


async def main():
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate)
    handler = Handler()

    def serve():
        return Server(
            handler,
            tls_context=context if options.security == "starttls" else None,
            require_starttls=options.security == "starttls",
            authenticator=authenticate if options.login else None,
            auth_required=bool(options.login),
            auth_require_tls=options.security == "starttls",
            enable_SMTPUTF8=False,
        )

    wrapped = context if options.security == "tls" else None
    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", options.port, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
