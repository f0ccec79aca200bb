package alike

import (
	"os/exec"
	"syscall"
)

// endWithParent has a process end even if the test is killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
