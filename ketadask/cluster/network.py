"""Which address of this machine the compute nodes can reach."""

from __future__ import annotations

import ipaddress
import socket

from ketadask.schema.errors import InputError, nearest


def addresses() -> dict[str, str]:
    """Return the IPv4 address of every interface that is up, by name."""
    import psutil

    up = {name for name, each in psutil.net_if_stats().items() if each.isup}
    return {
        name: each.address
        for name, found in psutil.net_if_addrs().items()
        for each in found
        if name in up and each.family == socket.AF_INET
    }


def address_of(interface: str) -> str:
    """Return the address of an interface, or say which there are."""
    found = addresses()
    if interface not in found:
        raise InputError(
            "this machine has no such interface, or it is down",
            where="job.interface",
            value=interface,
            remedy=nearest(interface, found),
        )
    return found[interface]


def address_towards(node: str | None) -> str:
    """Return the address from which packets to ``node`` leave, or the first that is no loopback.

    Examples
    --------
    >>> address_towards("127.0.0.1")
    '127.0.0.1'
    """
    if node:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((node, 9))  # sends nothing: only asks for the way
                return str(probe.getsockname()[0])
        except OSError:
            pass
    found = [each for each in addresses().values() if not is_loopback(each)]
    return found[0] if found else "127.0.0.1"


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("10.1.2.3")
    (True, False)
    """
    return ipaddress.ip_address(address).is_loopback
