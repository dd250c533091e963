"""CRC-32C (Castagnoli), which the standard library lacks; a header's few bytes need no faster one.

Source: RFC 3720, section 12.1; the reflected polynomial, as RFC 4960, appendix B has it.
"""

from typing import Final

_POLYNOMIAL: Final = 0x82F63B78


def _of_byte(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE: Final = tuple(map(_of_byte, range(256)))


def crc32c(data: bytes) -> int:
    """Return the checksum as a number of 32 bits."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = _TABLE[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    return checksum ^ 0xFFFFFFFF
