"""A small tailnet on one bridge of its own: coordinator, three kernel nodes, one userspace node."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from fixtures.authority import Authority
from fixtures.engine.client import engine
from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.engine.execute import Result, execute
from fixtures.engine.labels import labels
from fixtures.tailnet.client import client_spec
from fixtures.tailnet.coordinator import NAME, Controlplane, controlplane_spec
from fixtures.wait import WaitTimeoutError, wait_for
from fixtures.world.images import ROOT, catalogue

POLICY = (ROOT / "infra/tailscale/policy.hujson").read_text(encoding="utf-8")
TAILNET = "tail1234"
SERVER = f"mailserver.{TAILNET}.ts.net"
PORTS = (22, 80, 443, 587, 993, 995, 2525)
PREFIX = "test-tailnet"
TUNNELS = "/var/run/wireguard/tailscale0.sock"
NO_NAMES = "127.0.0.1"
"""No name server: where nothing listens, a question fails at once instead of after many seconds."""


@dataclass
class SmallTailnet:
    """The running parts; every place is named ``test-tailnet-…``."""

    network: Network
    authority: Authority
    control: Controlplane
    coordinator: Container

    @classmethod
    def create(cls) -> "SmallTailnet":
        """Start network and coordinator."""
        network = _free_network()
        authority = Authority.create()
        base = network_base(network)
        tag = catalogue()["controlplane"].tag
        place = f"{PREFIX}-controlplane"
        address = f"{base}.100"
        spec = controlplane_spec(tag, address, str(network.name), authority, TAILNET, POLICY, place=place)
        coordinator = start(replace(spec, publish=(), addresses={**spec.addresses, "bridge": None}))
        return cls(network, authority, control_of(coordinator), coordinator)

    @property
    def address(self) -> str:
        """The coordinator's public address."""
        return f"{network_base(self.network)}.100"

    def kernel_node(self, name: str, key: str) -> Container:
        """A node in kernel mode which joins as ``name``."""
        spec = client_spec(
            f"{PREFIX}-{name}", catalogue()["tailnet-client"].tag, None, str(self.network.name),
            gateway="", nameserver=NO_NAMES, ca=self.authority.certificate_pem, key=key, hostname=name,
        )  # fmt: skip
        return start(replace(spec, publish=(), options={**spec.options, "extra_hosts": {NAME: self.address}}))

    def bare_node(self, name: str) -> Container:
        """A container whose daemon runs and which has not joined."""
        spec = client_spec(
            f"{PREFIX}-{name}", catalogue()["tailnet-client"].tag, None, str(self.network.name),
            gateway="", nameserver=NO_NAMES, ca=self.authority.certificate_pem, key="",
        )  # fmt: skip
        options = {**spec.options, "extra_hosts": {NAME: self.address}}
        container = start(replace(spec, publish=(), command=["tailscaled", "--port=41641"], options=options))
        run(container, "tailscale", "wait-for-daemon").check()
        return container

    def task(self, name: str, key: str) -> tuple[Container, Container]:
        """A Fargate task's namespace holder and the tailscale container in it."""
        place = f"{PREFIX}-{name}"
        toolbox = catalogue()["toolbox"].tag
        holder = start(
            ContainerSpec(
                place,
                toolbox,
                env={"NAMESERVER": NO_NAMES},
                addresses={str(self.network.name): None},
                options={"extra_hosts": {NAME: self.address}},
                cap_add=("NET_ADMIN",),
            )
        )
        sidecar = start(
            ContainerSpec(
                f"{place}-tailscale",
                catalogue()["tailscale"].tag,
                env={
                    "TS_AUTHKEY": key,
                    "TS_USERSPACE": "true",
                    "TS_STATE_DIR": "/var/lib/tailscale",
                    "TS_HOSTNAME": name,
                    "TS_EXTRA_ARGS": "--advertise-tags=tag:fargate-mx",
                    "TS_OUTBOUND_HTTP_PROXY_LISTEN": "127.0.0.1:1055",
                    "TS_ENABLE_HEALTH_CHECK": "true",
                    "TS_LOCAL_ADDR_PORT": "127.0.0.1:9002",
                },
                files={"/run/mailproof/ca.crt": self.authority.certificate_pem},
                cap_add=("NET_ADMIN", "SYS_ADMIN"),
                options={
                    "network_mode": f"container:{holder.id}",
                    "hostname": None,
                    "devices": ["/dev/net/tun:/dev/net/tun:rwm"],
                    "security_opt": ["apparmor=unconfined"],
                },
            )
        )
        return holder, sidecar

    def restore_policy(self) -> None:
        """Give the coordinator the policy that deploys."""
        self.control.set_policy(POLICY)

    def destroy(self) -> None:
        """Remove everything again."""
        for container in engine().containers.list(all=True, filters={"label": "mailproof.place"}):
            place = container.labels["mailproof.place"]
            if place.startswith(PREFIX):
                remove(place)
        self.network.remove()


def _free_network(tries: int = 5) -> Network:
    """A bridge on a range that the engine has free; fixed addresses need the range to be named."""
    name = f"mailproof-{PREFIX}"
    scout = engine().networks.create(f"{name}-scout", labels=labels(PREFIX))
    scout.reload()
    pool = IPAMPool(subnet=scout.attrs["IPAM"]["Config"][0]["Subnet"])
    scout.remove()
    try:
        return engine().networks.create(name, ipam=IPAMConfig(pool_configs=[pool]), labels=labels(PREFIX))
    except APIError as error:
        if tries <= 1 or "overlaps" not in str(error):
            raise
        return _free_network(tries - 1)


def network_base(network: Network) -> str:
    """The first three numbers of a network's range."""
    network.reload()
    return str(network.attrs["IPAM"]["Config"][0]["Subnet"]).rsplit(".", 1)[0]


def control_of(coordinator: Container) -> Controlplane:
    """The admin's client of a running coordinator, through the engine's default bridge."""
    coordinator.reload()
    address = coordinator.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    control = Controlplane(f"http://{address}:8080")
    control.wait_until_ready()
    return control


def run(container: Container, *argv: str) -> Result:
    """Run a program in a container."""
    return execute(container, argv)


def listen(container: Container) -> None:
    """Let a machine say the port's number on each of the ports."""
    for port in PORTS:
        container.exec_run(["ncat", "-lk", "-p", str(port), "-c", f"echo port {port}"], detach=True)


def open_ports(container: Container, host: str) -> set[int]:
    """Those of the listened-on ports whose answer arrives, all tried at the same time."""
    one = f'test "$(timeout 3 ncat --recv-only {host} $port)" = "port $port" && echo $port'
    return _numbers(container, one)


def proxied_ports(task: Container, host: str) -> set[int]:
    """Those of the listened-on ports whose answer arrives through the task's proxy."""
    curl = "curl -sS -m 3 -p -x http://127.0.0.1:1055"
    one = f'test "$({curl} telnet://{host}:$port)" = "port $port" && echo $port'
    return _numbers(task, one)


def _numbers(container: Container, one: str) -> set[int]:
    script = f"for port in {' '.join(map(str, PORTS))}; do ({one}) & done; wait"
    return {int(number) for number in run(container, "sh", "-c", script).stdout.split()}


def reaches(container: Container, host: str, port: int, seconds: int = 2) -> bool:
    """Whether a TCP connection to a listening port gets that port's answer."""
    result = run(container, "timeout", str(seconds), "ncat", "--recv-only", host, str(port))
    return result.stdout == f"port {port}\n"


def settle(container: Container, host: str, port: int) -> None:
    """Wait until a port that must be open answers: the tunnel stands."""
    wait_for(
        f"{host}:{port} answers", lambda: reaches(container, host, port, 1), timeout=timedelta(seconds=60)
    )


def wait_for_member(control: Controlplane, name: str, container: Container) -> None:
    """Wait until a machine has joined; a failure shows what it logged."""
    try:
        control.wait_for_node(name)
    except AssertionError as error:
        error.add_note(container.logs(tail=20).decode(errors="replace"))
        raise


@dataclass(frozen=True)
class Members:
    """The joined machines: server, two people's machines, and the gateway's task (namespace, sidecar)."""

    server: Container
    pc: Container
    phone: Container
    task: Container
    sidecar: Container

    @classmethod
    def join(cls, tailnet: SmallTailnet) -> "Members":
        """Start all of them and wait until the ports that must be open answer."""
        control = tailnet.control
        gateway_key = control.create_key(reusable=True, ephemeral=True, tags=["tag:fargate-mx"])
        keys = {
            "mailserver": control.create_key(tags=["tag:mailserver"]),
            "pc": control.create_key(user="alice@example.net"),
            "phone": control.create_key(user="bob@example.net"),
        }
        with ThreadPoolExecutor() as pool:
            gateway = pool.submit(tailnet.task, "gateway", gateway_key)
            server, pc, phone = pool.map(tailnet.kernel_node, keys.keys(), keys.values())
            task, sidecar = gateway.result()
        machines = {"mailserver": server, "pc": pc, "phone": phone, "gateway": sidecar}
        for name, container in machines.items():
            wait_for_member(control, name, container)
        listen(server)
        members = cls(server, pc, phone, task, sidecar)
        try:
            members.settle()
        except WaitTimeoutError as error:
            error.add_note(members.evidence())
            raise
        return members

    @staticmethod
    def leave(tailnet: SmallTailnet) -> None:
        """Take all machines away again, from the engine and from the coordinator."""
        for place in ("mailserver", "pc", "phone", "gateway-tailscale", "gateway"):
            remove(f"{PREFIX}-{place}")
        for name in tailnet.control.nodes():
            tailnet.control.delete(name)

    def evidence(self) -> str:
        """What each machine says of itself and of its tunnels, for a failure."""
        tunnels = ["sh", "-c", f"printf 'get=1\\n\\n' | ncat -U {TUNNELS} | grep -v -e private -e preshared"]
        found = []
        for machine in (self.server, self.pc, self.phone, self.sidecar):
            machine.reload()
            found.append(
                f"{machine.name}: {machine.status}\n{machine.logs(tail=15).decode(errors='replace')}"
            )
            if machine.status == "running":
                looks = (["tailscale", "status"], tunnels, ["nft", "list", "ruleset"])
                found += [run(machine, *look).stdout for look in looks]
        return "\n".join(found)

    def settle(self) -> None:
        """Wait until everybody reaches what the policy that deploys lets him reach."""
        settle(self.pc, SERVER, 443)
        settle(self.phone, SERVER, 443)
        wait_for(
            "the proxy leads to the server",
            lambda: through_proxy(self.task, f"{SERVER}:2525"),
            timeout=timedelta(seconds=60),
            until=lambda answer: answer == "port 2525\n",
        )


def through_proxy(task: Container, target: str, seconds: int = 2) -> str:
    """What a port says through the task's CONNECT proxy; empty when it cannot be reached."""
    argv = ["curl", "-sS", "-m", str(seconds), "-p", "-x", "http://127.0.0.1:1055", f"telnet://{target}"]
    return run(task, *argv).stdout
