"""Which of CPython's suites are run, with which of its resources, and what is left out."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class Suite:
    """One of CPython's test modules."""

    module: str
    resources: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What CPython's own runner calls it."""
        return self.module.rpartition(".")[2]

    def allowing(self, *resources: str) -> "Suite":
        """Return the suite with more resources."""
        return attrs.evolve(self, resources=self.resources.union(resources))


# The slow ones first, so that those which run side by side end together. The resources:
#
# * network: test_socketserver does not run at all without it, and stays on the loopback. The
#   others would ask hosts outside for it, if any.
# * walltime: the nine of test_xmlrpc wait three seconds each for a server's time-out, which is
#   ours to keep. The four of test_imaplib (ten seconds each for a client that never speaks) and
#   the one of test_logging (a race between files) say nothing about servers: `--walltime`.
SUITES = (
    Suite("test.test_xmlrpc", frozenset({"walltime"})),
    Suite("test.test_logging"),
    Suite("test.test_imaplib"),
    Suite("test.test_docxmlrpc"),
    Suite("test.test_urllib2_localnet"),
    Suite("test.test_httpservers"),
    Suite("test.test_socketserver", frozenset({"network"})),
    Suite("test.test_wsgiref"),
)

# Test by test, with the reason. Nothing else is left out.
LEFT_OUT: Mapping[str, str] = {
    "test.test_socketserver.MiscTestCase.test_all": (
        "expects every class to say that its module is 'socketserver'; ours say where they live, "
        "and `__all__` has a test of our own"
    ),
}
