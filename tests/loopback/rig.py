# SPDX-License-Identifier: MIT
"""The loopback rig: xenstored, PipeWire and a backend in a directory of their own.

Everything that is started here is ended here, by pid, and what it wrote is kept in one
log a process. A backend that does not end when asked, or ends with an error, is a fault.
"""

import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PR_SET_PDEATHSIG = 1

HEADLESS_CONF = """\
context.properties = {
    core.daemon = true
    core.name = pipewire-0
    log.level = 3
    mem.allow-mlock = false
    support.dbus = false
    default.clock.rate = %(rate)d
    default.clock.quantum = 1024
    default.clock.min-quantum = 32
    default.clock.max-quantum = 8192
}
context.spa-libs = {
    audio.convert.* = audioconvert/libspa-audioconvert
    audio.adapt = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}
context.modules = [
    { name = libpipewire-module-rt args = { rt.prio = 20 } flags = [ ifexists nofail ] }
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-profiler }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-spa-node-factory }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-access }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-link-factory }
    { name = libpipewire-module-session-manager }
]
context.objects = [ %(sinks)s ]
"""

# The first of several is the default sink.
SINK = """
    { factory = adapter
        args = {
            factory.name = support.null-audio-sink
            node.name = %(name)s
            media.class = Audio/Sink
            node.driver = true
            priority.driver = %(driver_priority)d
            priority.session = %(session_priority)d
            object.linger = true
            audio.position = [ FL FR ]
            audio.rate = %(rate)d
            monitor.channel-volumes = true
            %(port_config)s
        }
    }
"""

PORT_CONFIG = "adapter.auto-port-config = { mode = dsp monitor = true position = preserve }"

# Without a session manager nobody configures the ports of a stream: it does so itself.
STREAM_PORT_CONFIG = "adapter.auto-port-config = { mode = dsp }"

MODULE_CONF = """\
context.spa-libs = { api.xen-snd.* = xen-snd/libspa-xen-snd }
context.modules = [
    { name = libpipewire-module-xen-snd args = { %(args)s } }
]
xen-snd.rules = [ %(rules)s ]
"""

DAEMON_CONF = """\
context.properties = { log.level = 3 }
context.spa-libs = {
    audio.convert.* = audioconvert/libspa-audioconvert
    audio.adapt = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
    api.xen-snd.* = xen-snd/libspa-xen-snd
}
context.modules = [
    { name = libpipewire-module-rt args = { rt.prio = 20 } flags = [ ifexists nofail ] }
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-xen-snd args = { %(args)s } }
]
xen-snd.rules = [ %(rules)s ]
"""

# What guests capture is silence otherwise.
ALLOW_CAPTURE = ("{ matches = [ { xen.direction = capture } ] "
                 "actions = { update-props = { xen.capture.allowed = true } } }")

WIREPLUMBER_MAIN = """\
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
default_access.properties["enable-flatpak-portal"] = false
"""


# the same for 0.5: no devices, and no D-Bus
WIREPLUMBER_05 = """\
wireplumber.profiles = {
    main = {
        hardware.audio = disabled
        hardware.bluetooth = disabled
        hardware.video-capture = disabled
        support.dbus = disabled
        support.logind = disabled
    }
}
"""


class RigError(Exception):
    """The rig could not be set up or a part of it misbehaved."""


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, test, seconds=10.0):
    """Look again and again, for what offers no event to wait for."""
    deadline = time.monotonic() + seconds
    while not test():
        if time.monotonic() > deadline:
            raise RigError(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


class Process:
    """A child with a log of its own."""

    def __init__(self, rig, name, command, stdin=None, env=None):
        self.name = name
        self.log = os.path.join(rig.dir, name + ".log")
        self.expected = (0,)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                command, env=env or rig.env, stdin=stdin or subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=end_with_parent)

    def is_running(self):
        return self.child.poll() is None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait(self, seconds):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired as e:
            raise RigError(f"{self.name} still runs after {seconds:g} s") from e

    def wait_for_line(self, line, seconds=10.0):
        def seen():
            if not self.is_running() and line not in self.text():
                raise RigError(f"{self.name} ended with {self.child.returncode}: {self.text()}")
            return line in self.text()
        wait_for(f"{self.name} saying '{line}'", seen, seconds)

    def end(self, sig=signal.SIGTERM, seconds=10.0):
        """Ask it to end; None if all was well, else what was not."""
        if self.is_running():
            self.child.send_signal(sig)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                return f"{self.name} did not end within {seconds:g} s"
            if self.child.returncode in (0, -sig):
                return None
        if self.child.returncode in self.expected:
            return None
        return f"{self.name} ended with {self.child.returncode}"


class Rig:
    """One loopback machine. Use it as a context manager. `wireplumber`: True for the machine's,
    "0.5" for that, with all of PipeWire, from Debian's backports. `backend_domid`: the driver
    domain that the backend is in, if it is not Dom0."""

    def __init__(self, build, product=None, keep=None, rate=48000, quantum=None, wireplumber=False,
                 module_args="", rules="", backend=None, in_pipewire=False,
                 allow_capture=True, sinks=("null-sink",), backend_domid=0):
        self.build = os.path.realpath(build)
        self.product = os.path.realpath(product or build)
        self.keep = keep
        self.rate = rate
        self.quantum = quantum
        self.wireplumber = wireplumber
        self.root = find_wireplumber() if wireplumber == "0.5" else "/"
        self.module_args = module_args
        self.rules = (ALLOW_CAPTURE if allow_capture else "") + rules
        self.backend_command = backend
        self.in_pipewire = in_pipewire
        self.sinks = sinks
        self.backend_domid = backend_domid
        self.processes = []
        self.backend = None
        self.backend_env = {}   # what it has besides everybody's
        self.pipewire = None
        self.watched = []       # who says at its end how often it did not run when due
        self.missed = 0
        self.lateness = 0       # ms, at worst, of a thread of normal priority
        self.faults = []

    def path(self, *names):
        return os.path.join(self.build, *names)

    def tool(self, name):
        return self.path("tests", "tools", name)

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="xen-snd-loopback-")
        os.chmod(self.dir, 0o700)
        try:
            self.env = self.make_env()
            self.start_hypervisor()
            self.start_pipewire()
            self.start_backend()
            self.watched.append(self.spawn("canary", [self.tool("canary")]))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            fault = process.end()
            if fault is not None:
                self.faults.append(fault)
        self.missed = sum(missed_by(process) for process in self.watched)
        self.lateness = max((lateness_of(process) for process in self.watched), default=0)
        if self.keep is not None:
            shutil.copytree(self.dir, self.keep, dirs_exist_ok=True,
                            ignore=lambda d, names: [n for n in names if not os.path.isfile(
                                os.path.join(d, n)) and not os.path.isdir(os.path.join(d, n))])
        shutil.rmtree(self.dir, ignore_errors=True)

    def make_env(self):
        hypervisor = self.path("tests", "loopback", "hypervisor")
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("PIPEWIRE_", "SPA_", "XDG_", "DBUS_", "PULSE_", "XENSTORED_"))}
        for name in ("run", "conf", "config", "state", "cache", "xen", "backend"):
            os.mkdir(os.path.join(self.dir, name), 0o700)
        env.update(
            XEN_LOOPBACK_DIR=os.path.join(self.dir, "xen"),
            XEN_LOOPBACK_BACKEND=str(self.backend_domid),
            XENSTORED_PATH=os.path.join(self.dir, "xen", "socket"),
            XENSTORED_RUNDIR=os.path.join(self.dir, "xen"),
            LD_LIBRARY_PATH=hypervisor,
            RUNTIME_DIRECTORY=os.path.join(self.dir, "backend"),
            PIPEWIRE_RUNTIME_DIR=os.path.join(self.dir, "run"),
            PIPEWIRE_CONFIG_DIR=os.path.join(self.dir, "conf"),
            XDG_RUNTIME_DIR=os.path.join(self.dir, "run"),
            XDG_CONFIG_HOME=os.path.join(self.dir, "config"),
            XDG_STATE_HOME=os.path.join(self.dir, "state"),
            XDG_CACHE_HOME=os.path.join(self.dir, "cache"),
            PATH=self.path("tests", "tools") + ":" + env.get("PATH", "/usr/bin:/bin"),
        )
        env.update(product_dirs(self.build, self.root))
        if self.root != "/":
            env.update(other_dirs(self.root, env))
        return env

    def spawn(self, name, command, **kwargs):
        process = Process(self, name, command, **kwargs)
        self.processes.append(process)
        return process

    def run(self, command, **kwargs):
        return subprocess.run(command, env=self.env, check=False, capture_output=True, text=True,
                              **kwargs)

    def start_hypervisor(self):
        subprocess.run([self.path("tests", "loopback", "hypervisor", "xen-loopback"), "init"],
                       env=self.env, check=True)
        self.start_xenstored()
        self.write_store({"/local/domain/0/name": "Domain-0", "/local/domain/0/domid": "0"})
        if self.backend_domid != 0:
            self.start_driver_domain()

    def start_driver_domain(self):
        """The backend reaches xenstored as that domain, and may do no more than it may."""
        xenbus = self.spawn("xenbus", [self.path("tests", "loopback", "hypervisor", "xen-xenbus")])
        xenbus.wait_for_line("xenbus: ")
        self.backend_env["XENSTORED_PATH"] = xenbus.text().split()[1]

    def start_xenstored(self):
        env = dict(self.env)
        env["LD_LIBRARY_PATH"] += ":" + self.path("tests", "loopback", "hypervisor", "xenstored")
        env["XEN_LOOPBACK_BACKEND"] = "0"   # it is Dom0's
        self.xenstored = self.spawn("xenstored", [find_xenstored(), "-N"], env=env)
        wait_for("xenstored", lambda: os.path.exists(self.env["XENSTORED_PATH"]) or
                 self.must_run(self.xenstored))

    def kill_xenstored(self):
        """kill -9: all that it knew is lost."""
        self.xenstored.expected = (-signal.SIGKILL,)
        self.xenstored.child.send_signal(signal.SIGKILL)
        self.xenstored.wait(5)
        os.unlink(self.env["XENSTORED_PATH"])

    def update_xenstored(self):
        """Live update, to the same program."""
        program = find_xenstored()
        out = self.run([os.path.join(os.path.dirname(program), "xenstore-control"),
                        "live-update", "-s", "-F", program])
        if out.returncode != 0:
            raise RigError(f"xenstore-control: {out.stdout}{out.stderr}")

    def read_store(self):
        """All that XenStore holds, by path."""
        lines = self.run(["xenstore-ls", "-f"]).stdout.splitlines()
        return {path: value.strip('"') for path, value in
                (line.rstrip(".").split(" = ", 1) for line in lines)}

    def write_store(self, content):
        self.run(["xenstore-write"] + [word for pair in content.items() for word in pair])

    def must_run(self, process):
        if not process.is_running():
            raise RigError(f"{process.name} ended: {process.text()}")
        return False

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def stream_args(self):
        props = "" if self.wireplumber else f"stream.props = {{ {STREAM_PORT_CONFIG} }} "
        return {"args": props + self.module_args, "rules": self.rules}

    def sink_objects(self):
        for number, name in enumerate(self.sinks):
            yield SINK % {"name": name, "rate": self.rate,
                          "driver_priority": 20000 - number, "session_priority": 2000 - number,
                          "port_config": "" if self.wireplumber else PORT_CONFIG}

    def start_pipewire(self):
        # the rig's configuration directory hides the system's
        for name in ("client.conf", "client-rt.conf"):
            source = os.path.join(self.root, "usr/share/pipewire", name)
            if os.path.exists(source):
                shutil.copy(source, os.path.join(self.dir, "conf"))
        self.write("conf/headless.conf",
                   HEADLESS_CONF % {"rate": self.rate, "sinks": "".join(self.sink_objects())})
        if self.in_pipewire:
            self.write("conf/headless.conf.d/50-xen-snd.conf", MODULE_CONF % self.stream_args())
        self.start_pipewire_server()
        socket = os.path.join(self.dir, "run", "pipewire-0")
        wait_for("pipewire", lambda: os.path.exists(socket) or self.must_run(self.pipewire))
        if self.wireplumber:
            self.start_wireplumber()
        wait_for("the sinks", lambda: set(self.sinks) <= {
            line.split(":")[0] for line in self.run(["pw-link", "-i"]).stdout.splitlines()})
        if self.quantum is not None:
            self.force_quantum(self.quantum)

    def start_pipewire_server(self):
        self.pipewire = self.spawn("pipewire", ["pipewire", "-c", "headless.conf"])

    def start_wireplumber(self):
        self.write("config/wireplumber/main.lua.d/51-rig.lua", WIREPLUMBER_MAIN)
        self.write("config/wireplumber/bluetooth.lua.d/51-rig.lua",
                   "bluez_monitor.enabled = false\n")
        self.write("config/wireplumber/wireplumber.conf.d/51-rig.conf", WIREPLUMBER_05)
        env = dict(self.env)
        del env["PIPEWIRE_CONFIG_DIR"]
        self.wireplumber_process = self.spawn("wireplumber", ["wireplumber"], env=env)
        wait_for("WirePlumber", lambda: self.default_sink() or
                 self.must_run(self.wireplumber_process))

    def end_wireplumber(self):
        fault = self.wireplumber_process.end()
        if fault is not None:
            raise RigError(fault)
        wait_for("WirePlumber to go", lambda: not self.default_sink())

    def default_sink(self):
        """What WirePlumber has chosen; None while it is not there."""
        out = self.run(["pw-metadata", "-n", "default", "0", "default.audio.sink"]).stdout
        found = re.search(r'"name": ?"([^"]*)"', out)
        return found and found.group(1)

    def force_quantum(self, quantum):
        self.run(["pw-metadata", "-n", "settings", "0", "clock.force-quantum", str(quantum)])

    def start_backend(self):
        if self.in_pipewire or self.backend_command is None:
            return
        self.write("conf/xen-snd.conf", DAEMON_CONF % self.stream_args())
        self.backend = self.spawn("backend", self.backend_command,
                                  env=self.env | product_dirs(self.product, self.root) |
                                  self.backend_env)

    def kill_backend(self):
        """kill -9, and wait until it is gone."""
        self.backend.expected = (-signal.SIGKILL,)
        self.backend.child.send_signal(signal.SIGKILL)
        self.backend.wait(5)

    def resources(self):
        """What the backend holds now: descriptors, threads, stretches of guests' pages; but not
        what the stand-in libraries keep of every domain that they have seen: its file, and the
        table at its beginning."""
        proc = f"/proc/{self.backend.child.pid}/"
        with open(proc + "maps", encoding="ascii") as maps:
            pages = sum("/domain-" in line and int(line.split()[2], 16) > 0 for line in maps)
        files = [read_link(proc + "fd/" + fd) for fd in os.listdir(proc + "fd")]
        return {"descriptors": sum("/domain-" not in name for name in files),
                "threads": len(os.listdir(proc + "task")), "pages": pages}

    def memory(self):
        """KiB that are the backend's own."""
        with open(f"/proc/{self.backend.child.pid}/smaps_rollup", encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f
                       if line.startswith(("Private", "Shared_D")))

    def switches(self):
        """How often each of the backend's threads was given a processor."""
        task = f"/proc/{self.backend.child.pid}/task"
        found = {}
        for tid in os.listdir(task):
            with open(f"{task}/{tid}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f)
            found[f"{status['Name']} {tid}"] = (int(status["voluntary_ctxt_switches"]) +
                                                int(status["nonvoluntary_ctxt_switches"]))
        return found

    def woken(self, seconds):
        """The backend's threads that ran within so many seconds, and how often."""
        before = self.switches()
        time.sleep(seconds)
        return {name: n - before.get(name, 0) for name, n in self.switches().items()
                if n != before.get(name, 0)}

    def wait_for_sleep(self):
        """Until what the backend had to do is done."""
        wait_for("all of its threads asleep", lambda: not self.woken(1), 20)

    def state_file(self):
        return os.path.join(self.env["RUNTIME_DIRECTORY"], "state")

    def balance(self, domid):
        out = self.run([self.path("tests", "loopback", "hypervisor", "xen-loopback"), "balance",
                        str(domid)]).stdout
        return {k: int(v) for k, v in (word.split("=") for word in out.split())}

    def nodes(self):
        """Properties of every node in the graph, by node name."""
        nodes = {}
        for item in arrays(self.run(["pw-dump", "-N"]).stdout):
            if item.get("type") == "PipeWire:Interface:Node":
                props = (item.get("info") or {}).get("props", {})
                nodes[props.get("node.name", str(item["id"]))] = props
        return nodes

    def node_id(self, name):
        """The id of a node in the graph, None if there is no such node. Ids are used again."""
        return self.nodes().get(name, {}).get("object.id")

    def node_serial(self, name):
        """The number of a node among all that there ever were in the graph."""
        return self.nodes().get(name, {}).get("object.serial")

    def frontend(self, script, label="frontend", **options):
        """Start a model frontend; join() gives its report. Options are its options."""
        return Frontend(self, label, script, options)


def arrays(text):
    """The items of all arrays in a row: pw-dump writes another one when something changes
    while it writes, and null for what an object was that has gone."""
    at = 0
    while text[at:].strip():
        items, end = json.JSONDecoder().raw_decode(text[at:].lstrip())
        yield from items
        at = len(text) - len(text[at:].lstrip()) + end


class Frontend:
    """A model frontend at work."""

    def __init__(self, rig, name, script, options):
        self.report_file = os.path.join(rig.dir, name + ".json")
        self.positions_file = os.path.join(rig.dir, name + ".positions")
        rig.write(name + ".script", script)
        command = [rig.path("tests", "loopback", "frontend", "model-frontend"),
                   "--report", self.report_file, "--positions", self.positions_file]
        for key, value in options.items():
            command += ["--" + key, str(value)]
        self.process = Process(rig, name, command + [os.path.join(rig.dir, name + ".script")])
        self.process.expected = (0, 1)
        rig.processes.append(self.process)

    def join(self, seconds=60.0):
        status = self.process.wait(seconds)
        if status not in (0, 1):
            raise RigError(f"model-frontend ended with {status}: {self.process.text()}")
        report = read_report(self.report_file)
        if status == 1 and not report["violations"]:
            report["violations"] = ["model-frontend failed: " + self.process.text()]
        return report


def command_of(process):
    """What it runs now."""
    with open(f"/proc/{process.child.pid}/cmdline", encoding="utf-8") as f:
        return f.read().split("\0")


def read_report(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def read_link(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:       # closed meanwhile
        return ""


def missed_by(process):
    words = process.text().split("missed ")
    return int(words[-1].split()[0]) if len(words) > 1 else 0


def lateness_of(process):
    words = process.text().split("the worst by ")
    return int(words[-1].split()[0]) if len(words) > 1 else 0


def product_dirs(build, root="/"):
    """Where PipeWire is to look for the module and the plugin of a build, and for its own."""
    return {"SPA_PLUGIN_DIR": os.path.join(build, "spa", "plugins") + ":" +
            root + pkg_dir("libspa-0.2", "plugindir"),
            "PIPEWIRE_MODULE_DIR": os.path.join(build, "src", "daemon") + ":" +
            root + pkg_dir("libpipewire-0.3", "moduledir")}


def other_dirs(root, env):
    """What runs PipeWire and WirePlumber as they were unpacked there."""
    libraries = root + pkg_dir("libpipewire-0.3", "libdir")
    return {"PATH": root + "/usr/bin:" + env["PATH"],
            "LD_LIBRARY_PATH": env["LD_LIBRARY_PATH"] + ":" + libraries,
            "WIREPLUMBER_MODULE_DIR": libraries + "/wireplumber-0.5",
            "XDG_DATA_DIRS": root + "/usr/share"}


def pkg_dir(package, variable):
    return subprocess.run(["pkg-config", "--variable=" + variable, package], check=True,
                          capture_output=True, text=True).stdout.strip()


def find_xenstored():
    return subprocess.run([os.path.join(HERE, "get-xenstored")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def find_wireplumber():
    return subprocess.run([os.path.join(HERE, "get-wireplumber")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def quote(command):
    return " ".join(shlex.quote(word) for word in command)
