"""Policy: who takes mail, and who is asked whether to (Postfix's policy delegation)."""

from seams import Seam

SERVERS = ("postgrey", "a script")
SEAM = Seam("policy", "who takes mail -> who says whether to", {"smtpd": None, "submissiond": None}, {name: None for name in SERVERS}, None,
            {("*", name): "no agent of ours asks a policy server yet" for name in SERVERS})
