"""Runs a command beside an automounter that has mounted nothing yet, as autofs and systemd.automount(5) leave a directory at boot.

    unshare --mount --propagation private python3 automount.py DIRECTORY SOURCE COMMAND...

Whoever goes into DIRECTORY finds SOURCE there. Ends as COMMAND does, and with 77 where the kernel has no autofs.
"""
import ctypes, errno, fcntl, os, select, struct, sys

directory, source, command = sys.argv[1], sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
MS_BIND = 4096
AUTOFS_IOC_READY = 0x9360
AUTOFS_DIRECT_MISSING = 5

os.setpgid(0, 0)
requests, kernels_end = os.pipe()
options = f"fd={kernels_end},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if libc.mount(b"test", directory.encode(), b"autofs", 0, options.encode()) != 0:
    error = ctypes.get_errno()
    print(f"autofs: {os.strerror(error)}", file=sys.stderr)
    sys.exit(77 if error == errno.ENODEV else 1)
os.close(kernels_end)
trigger = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

child = os.fork()
if child == 0:
    # The kernel asks this process for what others find, not for what its own group does.
    os.setpgid(0, 0)
    os.execvp(command[0], command)

while True:
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        sys.exit(os.waitstatus_to_exitcode(status))
    if select.select([requests], [], [], 0.02)[0]:
        _, kind, token = struct.unpack_from("iiI", os.read(requests, 4096))
        if kind == AUTOFS_DIRECT_MISSING:
            libc.mount(source.encode(), directory.encode(), None, MS_BIND, None)
            fcntl.ioctl(trigger, AUTOFS_IOC_READY, token)
