package sqltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// processes are where the system says what runs.
const processes = "/proc"

// state is what a process does and who its parent is. It is 'Z' of one that has ended.
func state(pid int) (does byte, parent int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", processes, pid)) // pid (name) state parent ...
	if err != nil {
		return 'Z', 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // a name may have anything in it
	if len(fields) < 2 {
		return 'Z', 0, fmt.Errorf("process %d: %q", pid, text)
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0][0], parent, err
}

// children returns the processes that one has started and that have not ended.
func children(parent int) ([]int, error) {
	entries, err := os.ReadDir(processes)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if does, of, err := state(pid); err == nil && of == parent && does != 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// signal sends one that package os does not have everywhere, to processes of which
// some may have ended.
func signal(name string, pids ...int) {
	args := []string{"-c", `for pid; do kill "$0" "$pid"; done`, name}
	for _, pid := range pids {
		args = append(args, strconv.Itoa(pid))
	}
	_ = exec.Command("sh", args...).Run()
}

// reach waits until processes are in a state, or have ended.
func reach(does byte, pids ...int) error {
	return eventually(context.Background(), func(context.Context) error {
		for _, pid := range pids {
			if now, _, _ := state(pid); now != does && now != 'Z' {
				return fmt.Errorf("process %d is %c, not %c", pid, now, does)
			}
		}
		return nil
	})
}

// stop stops a process and then its children, which it can no longer have more of.
func stop(pid int) error {
	signal("-STOP", pid)
	if err := reach('T', pid); err != nil {
		return err
	}
	pids, err := children(pid)
	if err != nil {
		return err
	}
	signal("-STOP", pids...)
	return reach('T', pids...)
}

// resume undoes stop.
func resume(pid int) error {
	pids, err := children(pid)
	signal("-CONT", append(pids, pid)...)
	return err
}

// kill ends a process and its children at once: first the children, whose end it is
// not told. What they held is free when it has returned.
func kill(process *os.Process) error {
	signal("-STOP", process.Pid)
	err := reach('T', process.Pid)
	pids, err2 := children(process.Pid)
	signal("-KILL", pids...)
	return errors.Join(err, err2, reach('Z', pids...), process.Kill())
}
