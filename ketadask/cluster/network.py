"""The address of this machine that compute nodes can reach."""

from __future__ import annotations

import ipaddress
import socket

from ketadask.schema.errors import InputError, nearest


def addresses() -> dict[str, str]:
    """Return the IPv4 address of every interface that is up, by name."""
    import psutil

    active = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    return {
        name: address.address
        for name, interface in psutil.net_if_addrs().items()
        for address in interface
        if name in active and address.family == socket.AF_INET
    }


def interface_address(interface: str) -> str:
    """Return the address of an interface; an error lists the interfaces."""
    by_interface = addresses()
    if interface not in by_interface:
        raise InputError(
            "this machine has no such interface, or it is down",
            where="job.interface",
            value=interface,
            remedy=nearest(interface, by_interface),
        )
    return by_interface[interface]


def address_towards(node: str | None) -> str:
    """Return the address from which packets to ``node`` leave, or the first other than loopback.

    Examples
    --------
    >>> address_towards("127.0.0.1")
    '127.0.0.1'
    """
    if node:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((node, 9))  # sends no packet, only finds the route
                return str(probe.getsockname()[0])
        except OSError:
            pass
    external = (address for address in addresses().values() if not is_loopback(address))
    return next(external, "127.0.0.1")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("10.1.2.3")
    (True, False)
    """
    return ipaddress.ip_address(address).is_loopback
