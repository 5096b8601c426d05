"""What the calls in `inside` need: a relay with Ana and Ben on it, robots, and waiting with a limit."""

import array
import json
import os
import pathlib
import signal
import subprocess
import time

LISTEN = "127.0.0.1:4180"
PATIENCE = 90
"""Seconds that anything may take: ten times what it takes on a real machine, and some more."""

MORE_PICTURES = 3
LOUD = 1_600
"""A sample from here on is no silence: a twentieth of full scale."""
EVERY = 8
"""One sample in so many is looked at: Python is slow in there."""
WAV_HEADER = 44


def check(good, what, detail=""):
    """Prints the outcome of one check."""
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" ({detail})" if detail else ""), flush=True)
    return good


def wait(what, condition, over=lambda: False):
    """Waits until `condition` holds, unless it's `over` before; that it does is a check."""
    began = time.monotonic()
    while not (good := condition()) and not over() and time.monotonic() - began < PATIENCE:
        time.sleep(0.5)
    return check(good, what, f"{'' if good else 'not '}within {time.monotonic() - began:.0f} s")


def quietly(*command):
    """Runs a command that must succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Program:
    """A program that runs beside the calls, until the `with` block ends."""

    def __init__(self, log, *command):
        self.log = pathlib.Path(log)
        with open(log, "ab") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def said(self, text):
        return text in self.log.read_text(errors="replace")

    def end(self):
        """Asks it to end, as Ctrl-C does, and kills it when it doesn't. Its exit status, or `None` if it was killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return None


class Relay(Program):
    """A relay where Ana and Ben are buddies."""

    def __init__(self, programs, out):
        self.programs, self.out, self.data = programs, out, pathlib.Path("/tmp/relay")
        program = programs / "tvphone-relay"
        super().__init__(out / "relay.log", program, "serve", "--listen", LISTEN, "--data", self.data)
        began = time.monotonic()
        while not self.said(LISTEN):
            if self.process.poll() is not None or time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"the relay did not start: {self.log.read_text()}")
            time.sleep(0.2)
        for name in ("Ana", "Ben"):
            self.password(name).write_text(f"{name}'s own secret\n")
            quietly(program, "admin", "--data", self.data, "user", "add", name, "--password-file", self.password(name))
        quietly(program, "admin", "--data", self.data, "buddy", "add", "Ana", "Ben")

    @staticmethod
    def password(name):
        return pathlib.Path(f"/tmp/{name}.password")

    def call(self, name, ana, ben):
        """Ana calls Ben; `ana` and `ben` are the options of their robots."""
        return Call(self, self.out / name, ana, ben)


class Robot(Program):
    """One of the two, with the folder of what they received."""

    def __init__(self, relay, folder, name, options):
        self.name, self.record, self.report_file = name, folder / name, folder / f"{name}.json"
        self.record.mkdir(parents=True)
        command = [relay.programs / "tvphone", "robot", "--relay", f"http://{LISTEN}", "--user", name]
        command += ["--password-file", relay.password(name), "--patience", "180"]
        command += ["--record", self.record, "--report", self.report_file, *options]
        super().__init__(folder / f"{name}.log", *command)

    def pictures(self):
        """How many pictures have been received so far."""
        count = 0
        for file in self.record.glob("*.y4m"):
            with open(file, "rb") as opened:
                fields = {field[:1]: field[1:] for field in opened.readline().split()}
            if {b"W", b"H"} <= fields.keys():
                count += file.stat().st_size // (int(fields[b"W"]) * int(fields[b"H"]) * 3 // 2)
        return count

    def sees(self):
        """A condition that holds once more pictures have been received than now."""
        enough = self.pictures() + MORE_PICTURES
        return lambda: self.pictures() >= enough

    def hears(self, seconds=0.05):
        """A condition that holds once so many seconds of sound more than now have been received, silence not counted."""
        sizes = {file: file.stat().st_size for file in self.record.glob("*.wav")}

        def more():
            loud = 0
            for file in self.record.glob("*.wav"):
                with open(file, "rb") as opened:
                    opened.seek(sizes.get(file, WAV_HEADER))
                    data = opened.read()
                samples = array.array("h", data[: len(data) // 2 * 2])[::EVERY]
                loud += sum(abs(sample) > LOUD for sample in samples)
            return loud >= seconds * 48_000 / EVERY

        return more

    def report(self):
        return json.loads(self.report_file.read_text()) if self.report_file.exists() else {}


class Call:
    """A call of Ana and Ben, as long as the `with` block lasts: at its end Ana hangs up."""

    def __init__(self, relay, folder, ana, ben):
        self.name = folder.name
        print(f"# {self.name}", flush=True)
        self.ben = Robot(relay, folder, "Ben", ["--answer", *ben])
        self.ana = Robot(relay, folder, "Ana", ["--call", "Ben", *ana])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ana.end()
        try:
            self.ben.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.ben.end()
        for robot in (self.ana, self.ben):
            status, outcome = robot.process.returncode, robot.report().get("outcome")
            check(status == 0, f"{self.name}: to {robot.name} it was a call", f"status {status}: {outcome}")

    def wait(self, what, condition):
        """Waits until `condition` holds, and not longer than both robots run; that it does is a check."""
        return wait(f"{self.name}: {what}", condition, lambda: any(robot.process.poll() is not None for robot in (self.ana, self.ben)))
