package main

// usage is the text of --help. The package comment says the same at more length.
const usage = `hello - a small web server that shows a pod at work

Usage: hello [--port N] [--version] [--help]

  --port N     port to listen on, 0 for any free one (default $PORT, else 5000)
  --version    print the version and exit
  --help       print this text and exit

Paths
  GET  /                 a page naming the pod; plain text unless HTML is accepted
       /headers          the request as it arrived, as JSON
       /ws               WebSocket echo, at most 1 MiB a message
  GET  /stream           server-sent events; ?n=1-1000 (10) ?interval=0s-10s (1s)
  POST /echo             the body, sent back while it arrives
  GET  /bytes            ?n= pseudo-random bytes, at most 1 GiB
       /status/{code}    an answer with that status, 200-599
  GET  /healthz          200 once it serves

Environment
  POD_ID                 name of the pod (default: the host name)
  PORT                   port to listen on (5000)
  HELLO_START_DELAY=D    wait before listening
  HELLO_LOG_LINES=N      print "line 1" to "line N" at the start
  HELLO_LOG_NUL=1        print a line that contains NUL bytes
  HELLO_LOG_EVERY=D      print "tick 1", "tick 2", ... at this interval
  HELLO_EXIT_AFTER=D     end by itself this long after it began to listen
  HELLO_EXIT_CODE=N      exit code for that, 0-255; alone it means after 0s
  HELLO_FINAL_LINE=TEXT  print this line on SIGTERM, just before the exit
Durations are written as in 500ms, 3s or 2m.

On SIGTERM hello lets open requests finish for at most 5s and exits 0. It exits
1 when it cannot listen and 2 for a wrong command line or setting.
`
