package relay

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// halfOpenTimeout is how long one side may be silent after the other has said
// that it is done.
const halfOpenTimeout = 5 * time.Minute

// Pipe is a visitor's connection tied to a pod's.
type Pipe struct {
	Visitor, Pod net.Conn
	// Received are the tallies of bytes from the visitor, Sent of those from
	// the pod.
	Received, Sent []*atomic.Int64

	halfOpen atomic.Bool
	once     sync.Once
	err      error
}

// Run passes bytes both ways until both sides have ended or one has failed, and
// closes both connections. What one side sends after the other has ended still
// arrives, unless it is silent for 5 minutes. When ctx ends both are cut.
//
// It returns the first failure, or the cause of ctx; nil when both have ended.
func (p *Pipe) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { p.fail(context.Cause(ctx)) })()
	var group sync.WaitGroup
	group.Go(func() { p.pass(p.Pod, p.Visitor, p.Received) })
	p.pass(p.Visitor, p.Pod, p.Sent)
	group.Wait()
	p.fail(nil)
	return p.err
}

// pass is one direction.
func (p *Pipe) pass(to, from net.Conn, tallies []*atomic.Int64) {
	_, err := Copy(to, &bounded{Conn: from, isOn: &p.halfOpen}, tallies...)
	if err != nil {
		p.fail(err)
		return
	}
	p.halfOpen.Store(true)
	_ = CloseWrite(to) // fails only when that side is gone, which the other direction sees
	// The other direction may be waiting in a read that has no end yet.
	_ = to.SetReadDeadline(time.Now().Add(halfOpenTimeout))
}

// fail closes both connections; what it is called with first stays.
func (p *Pipe) fail(err error) {
	p.once.Do(func() {
		p.err = err
		_ = p.Visitor.Close() // whatever it says, it is over
		_ = p.Pod.Close()
	})
}

// bounded limits each read of a connection while isOn.
type bounded struct {
	net.Conn
	isOn *atomic.Bool
}

func (b *bounded) Read(buffer []byte) (int, error) {
	if b.isOn.Load() {
		_ = b.SetReadDeadline(time.Now().Add(halfOpenTimeout)) // where it fails, so does the read
	}
	return b.Conn.Read(buffer)
}
