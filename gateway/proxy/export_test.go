package proxy

import "github.com/pods-service/pods/gateway/dial"

// WrapDial puts wrap around each single attempt to connect to a pod.
func (h *Handler) WrapDial(wrap func(dial.Func) dial.Func) { h.dialer.Wrap(wrap) }
