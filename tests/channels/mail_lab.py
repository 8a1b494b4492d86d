"""A real mail system for the cases beside this file: Postfix takes mail in, Dovecot keeps the mailboxes.

Both are Debian's, run as root with folders and ports of their own on the loopback address, and are ended by their
process ids. A certificate that only the tests trust secures both. What the rest of the world would say is written into
Postfix's configuration: some recipients are refused when they are named; one domain has a server of its own, which
refuses some more once ours has taken the mail, so that it comes back or is late; and every other does not exist.
"""

import datetime as dt
import imaplib
import ipaddress
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from grp import getgrnam
from pathlib import Path
from pwd import getpwnam
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fixtures.installed import did_not_run

DOMAIN = "lab.test"
#: A domain with one mailbox for everybody, filled by Postfix itself: Dovecot takes mails for ASCII names alone.
WORLD = "world.test"
EVERYBODY = f"everybody@{WORLD}"
AWAY = "away.test"
PASSWORD = "pässwörd&1"
LINE = f"ada@{DOMAIN}"
PERSON = f"bob@{DOMAIN}"
_READY_WITHIN_S = 20.0
_STOP_WITHIN_S = 10.0
#: Where Debian keeps Postfix's programs.
_POSTFIX_PROGRAMS = "/usr/lib/postfix/sbin"

REFUSED = {
    f"nobody@{DOMAIN}": "550 5.1.1 no such user here",
    f"blocked@{DOMAIN}": "550 5.7.1 not from you",
    f"grey@{DOMAIN}": "451 4.7.1 come back later",
    f"full@{DOMAIN}": "552 5.2.2 mailbox full",
}
#: What the server of the other domain says; everybody there whom it does not name is unknown to it.
REFUSED_AWAY = {
    f"busy@{AWAY}": "451 4.7.1 come back later",
    AWAY: "550 5.1.1 no such user here",
}


@dataclass(frozen=True)
class Lab:
    """Where the running servers are."""

    smtp_port: int
    imap_port: int
    imaps_port: int
    folder: Path

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))

    def recount(self, user: str) -> None:
        """Let Dovecot number the mails of a mailbox anew, as after a restored backup."""
        subprocess.run(["doveadm", "-c", str(self.folder / "dovecot.conf"), "mailbox", "update", "-u", user, "--uid-validity",
                        str(int(time.time()) + 1000), "INBOX"], check=True, capture_output=True)  # fmt: skip


def require() -> None:
    """Skip, or fail where everything has to run, if the servers are not installed or may not be started."""
    missing = [name for name in ("postfix", "dovecot", "doveadm") if shutil.which(name, path="/usr/sbin:/usr/bin") is None]
    why = f"not installed: {', '.join(missing)}" if missing else "" if os.geteuid() == 0 else "they must be started as root"
    if why:
        did_not_run(f"no mail servers to test against: {why}")


@contextmanager
def running() -> Iterator[Lab]:
    """Run both servers for as long as the block lasts."""
    # Not below pytest's own folder: each run of pytest closes that one to others, and the servers' users are others.
    with TemporaryDirectory(prefix="posthaste-mail-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with _running(Path(name)) as lab:
            yield lab


@contextmanager
def _running(folder: Path) -> Iterator[Lab]:
    ports = _free_ports(6)
    lab = Lab(ports[0], ports[1], ports[2], folder)
    _make_certificate(folder)
    dovecot, postfix = _start_dovecot(folder, ports), _start_postfix(folder, ports)
    try:
        for port in (lab.smtp_port, lab.imap_port, ports[3], ports[5]):
            _wait_for(port, folder)
        yield lab
    finally:
        _end_postfix(folder)
        _ended(postfix)
        dovecot.terminate()
        _ended(dovecot)


@contextmanager
def _logged_in(lab: Lab, user: str) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4("127.0.0.1", lab.imap_port) as client:
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
        yield client


def unread(lab: Lab, user: str) -> int:
    """Return how many mails of a mailbox nobody has looked at."""
    with _logged_in(lab, user) as client:
        client.select("INBOX", readonly=True)
        return len(client.search(None, "UNSEEN")[1][0].split())


def put(lab: Lab, user: str, folder: str, mail: bytes) -> None:
    """Lay a mail into a folder, as a mail program does with what it has sent."""
    with _logged_in(lab, user) as client:
        status, said = client.append(folder, None, None, mail)
        assert status == "OK", said


def read(lab: Lab, user: str) -> list[bytes]:
    """Return the mails of a mailbox, by a client that is not ours."""
    with _logged_in(lab, user) as client:
        client.select("INBOX", readonly=True)
        _, found = client.search(None, "ALL")
        bodies = [client.fetch(number, "(BODY.PEEK[])")[1][0] for number in found[0].split()]
    return [body[1] for body in bodies if isinstance(body, tuple)]


def with_file(sender: str, text: str, content: bytes) -> bytes:
    """Return a person's mail with a picture."""
    mail = EmailMessage()
    mail["From"], mail["Message-ID"] = sender, "<big@x>"
    mail.set_content(text)
    mail.add_attachment(content, maintype="image", subtype="png", filename="cat.png")
    return mail.as_bytes()


def write(lab: Lab, sender: str, to: str, mail: bytes) -> None:
    """Post a mail as a person's program does."""
    with smtplib.SMTP("127.0.0.1", lab.smtp_port) as client:
        client.sendmail(sender, [to], mail)


def _start_dovecot(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    conf = folder / "dovecot.conf"
    conf.write_text(
        f"""
        protocols = imap lmtp
        listen = 127.0.0.1
        base_dir = {folder}/run
        state_dir = {folder}/state
        log_path = {folder}/dovecot.log
        ssl = yes
        ssl_cert = <{folder}/cert.pem
        ssl_key = <{folder}/key.pem
        disable_plaintext_auth = no
        auth_mechanisms = plain login
        mail_location = maildir:{folder}/mail/%u
        first_valid_uid = 1
        passdb {{
          driver = static
          args = password={PASSWORD}
        }}
        userdb {{
          driver = static
          args = uid=mail gid=mail home={folder}/mail/%u allow_all_users=yes
        }}
        namespace inbox {{
          inbox = yes
          mailbox Sent {{
            auto = create
            special_use = \\Sent
          }}
        }}
        service imap-login {{
          inet_listener imap {{
            port = {ports[1]}
          }}
          inet_listener imaps {{
            port = {ports[2]}
            ssl = yes
          }}
        }}
        service lmtp {{
          inet_listener lmtp {{
            port = {ports[3]}
          }}
        }}
        service auth {{
          inet_listener {{
            port = {ports[4]}
          }}
        }}
        """
    )
    return subprocess.Popen(["dovecot", "-F", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _start_postfix(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    home = folder / "postfix"
    for name in ("queue", "data"):
        (home / name).mkdir(parents=True)
    shutil.chown(home / "data", "postfix")
    (home / "main.cf").write_text(
        "\n".join(
            (
                "compatibility_level = 3.6",
                f"queue_directory = {home}/queue",
                "mail_owner = postfix",
                f"data_directory = {home}/data",
                f"daemon_directory = {_POSTFIX_PROGRAMS}",
                "myhostname = mx.lab.test",
                "mydestination =",
                "inet_interfaces = 127.0.0.1",
                "inet_protocols = ipv4",
                "mynetworks = 127.0.0.0/8",
                "smtputf8_enable = yes",
                f"virtual_mailbox_domains = {DOMAIN}, {WORLD}",
                f"virtual_transport = lmtp:inet:127.0.0.1:{ports[3]}",
                "default_transport = error:5.1.2 no such domain",
                f"virtual_mailbox_base = {folder}/mail",
                f"virtual_mailbox_maps = inline:{{ @{WORLD}={EVERYBODY}/, @{DOMAIN}=unused/ }}",
                "virtual_minimum_uid = 1",
                f"virtual_uid_maps = static:{getpwnam('mail').pw_uid}",
                f"virtual_gid_maps = static:{getgrnam('mail').gr_gid}",
                f"transport_maps = inline:{{ {AWAY}=smtp:[127.0.0.1]:{ports[5]}, {WORLD}=virtual: }}",
                # Who waits is told so at the second attempt, a moment later.
                "delay_warning_time = 1s",
                "queue_run_delay = 1s",
                "minimal_backoff_time = 1s",
                "alias_maps =",
                "alias_database =",
                "recipient_delimiter = +",
                f"smtpd_recipient_restrictions = check_recipient_access {_table(REFUSED)}, permit_mynetworks, reject",
                f"away_restrictions = check_recipient_access {_table(REFUSED_AWAY)}, reject",
                "smtpd_sasl_auth_enable = yes",
                "smtpd_sasl_type = dovecot",
                f"smtpd_sasl_path = inet:127.0.0.1:{ports[4]}",
                "smtpd_tls_security_level = may",
                f"smtpd_tls_cert_file = {folder}/cert.pem",
                f"smtpd_tls_key_file = {folder}/key.pem",
                f"maillog_file = {home}/mail.log",
                f"maillog_file_prefixes = {folder}",
                "",
            )
        )
    )
    (home / "master.cf").write_text(
        f"""
127.0.0.1:{ports[0]} inet n - n - - smtpd
127.0.0.1:{ports[5]} inet n - n - - smtpd
  -o myhostname=mx.{AWAY} -o relay_domains={AWAY} -o smtpd_recipient_restrictions=$away_restrictions
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    )
    return subprocess.Popen(["postfix", "-c", str(home), "start-fg"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _table(answers: Mapping[str, str]) -> str:
    return f"inline:{{{' '.join(f'{{{address} = {answer}}}' for address, answer in answers.items())}}}"


def _make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _free_ports(count: int) -> list[int]:
    bound = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in bound]
    for one in bound:
        one.close()
    return ports


def _wait_for(port: int, folder: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, _logs(folder)
            time.sleep(0.05)


def _logs(folder: Path) -> str:
    logs = [path for path in (folder / "dovecot.log", folder / "postfix" / "mail.log") if path.exists()]
    return "the mail servers did not start: " + "\n".join(path.read_text()[-2000:] for path in logs)


def _end_postfix(folder: Path) -> None:
    """End Postfix's own first process; the one that we started only waits for it."""
    with suppress(OSError, ValueError):
        os.kill(int((folder / "postfix" / "queue" / "pid" / "master.pid").read_text()), signal.SIGTERM)


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
