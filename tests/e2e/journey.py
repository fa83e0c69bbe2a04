"""The stage of the journey tests: servers A and B in two network namespaces joined by veth, and an authoritative nsd with signed zones."""
from harness import Certificates, Network, Nsd, Server, hosts, isolate, need


class Stage:
    def __init__(self, limits=None):
        need("swaks", "msmtp", "mbsync", "fetchmail", "curl", "openssl", "ip", "unshare", "nsenter")
        isolate()
        hosts({"mail.alpha.example": "10.77.0.1", "mx2.beta.example": "10.77.0.2"})
        self.network = Network()
        self.host_a, self.host_b = self.network.host("a", 1), self.network.host("b", 2)
        # mx1 is an address where nobody is: every delivery to B has to take the second.
        self.dns = Nsd("10.77.0.254", {
            "alpha.example": "@ MX 10 mail\nmail A 10.77.0.1",
            "beta.example": "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 10.77.0.9\nmx2 A 10.77.0.2\nnull MX 0 .",
            "forged.example": "@ MX 10 far\nfar A 10.77.0.9",
        }, forged=[("forged.example", "far", "10.77.0.2")])
        certificates = Certificates()
        # Retries in seconds, so that a test sees them; everything else as shipped.
        quick = {"queue_first_retry": 1, "queue_longest_retry": 2, "relay_connect_wait": 2, **(limits or {})}
        self.a = Server(self.host_a, "mail.alpha.example", self.dns, certificates, quick)
        self.b = Server(self.host_b, "mx2.beta.example", self.dns, certificates, quick)
        self.a.add_domain("alpha.example")
        self.b.add_domain("beta.example")
        self.ca = str(certificates.ca)
        self.secret = {}
        for name in ("ann", "al", "amy"):
            self.secret[name] = self.a.add_account(f"{name}@alpha.example")
        for name in ("bob", "bea", "ben"):
            self.secret[name] = self.b.add_account(f"{name}@beta.example")

    def swaks(self, sender, *recipients, subject="hello", check=True, extra=()):
        return self.host_a.run(["swaks", "--server", "10.77.0.1:465", "--tls-on-connect", "--tls-verify", "--tls-ca-path", self.ca, "--auth", "PLAIN", "--auth-user", f"{sender}@alpha.example",
                                "--auth-password", self.secret[sender], "--from", f"{sender}@alpha.example", "--to", ",".join(recipients), "--header", f"Subject: {subject}", "--timeout", "30", *extra], check=check)
