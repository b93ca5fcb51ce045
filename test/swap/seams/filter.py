"""Filters: who takes mail, and what looks at it by the milter protocol."""

from seams import Seam

FILTERS = ("opendkim", "rspamd", "clamav-milter", "a milter that uses every action")
SEAM = Seam("filter", "who takes mail -> what looks at it (milter)", {"smtpd": None, "submissiond": None, "queued": None},
            {name: None for name in FILTERS}, None, {("*", name): "no agent of ours speaks milter yet" for name in FILTERS})
