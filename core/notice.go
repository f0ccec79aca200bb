package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	noticesMost   = 1000 // notices that wait
	noticeSenders = 4
	noticeLasts   = 30 * time.Second
)

var (
	errNoticesFull = errors.New("sallyport: as many notices wait as may")
	errNoticesOver = errors.New("sallyport: the Auth was closed")
)

// notify has the app tell a user of a sign-in, if it is unusual enough.
func (a *Auth) notify(outcome EventName, userID string, s *Session) {
	if a.config.Notify == nil || !reaches(s.Risk.Score, a.policy.notify) {
		return
	}
	n := Notice{Time: a.now(), UserID: userID, Session: s.Clone(), Outcome: outcome}
	select {
	case a.notices <- n:
		if a.silent.Load() {
			a.dropNotices()
		}
	default:
		a.lostNotice(n, errNoticesFull)
	}
}

// sendNotices has the app send notices, until ctx is done.
func (a *Auth) sendNotices(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case n := <-a.notices:
			a.send(ctx, n)
		case <-ctx.Done():
		}
	}
}

// silence has no more notices sent. What waits, or comes later, is lost.
func (a *Auth) silence() {
	a.silent.Store(true)
	a.dropNotices()
}

func (a *Auth) dropNotices() {
	for {
		select {
		case n := <-a.notices:
			a.lostNotice(n, errNoticesOver)
		default:
			return
		}
	}
}

// send has the app send a notice, for as long as a notice may take: the call may go on.
func (a *Auth) send(ctx context.Context, n Notice) {
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeLasts)
	defer cancel()
	_, err := outside(patience, a.sending, func(context.Context) (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, noticeLasts) // it ends when the Auth is closed, too
		defer cancel()
		return struct{}{}, a.config.Notify(ctx, n)
	})
	if err != nil {
		a.lostNotice(n, fmt.Errorf("sallyport: Config.Notify: %w", err))
	}
}

func (a *Auth) lostNotice(n Notice, err error) {
	s := &n.Session
	a.audit(context.Background(), EventNoticeFailed, Event{UserID: n.UserID, Session: s.ID, DeviceID: s.Device.ID, IP: s.IP, UserAgent: s.UserAgent, Risk: s.Risk, Err: err})
}
