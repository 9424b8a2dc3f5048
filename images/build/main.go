// Command build makes the images of the service without a container runtime:
// each holds one static program, nothing else, and is the same byte for byte
// whenever the same sources are built. Beside each lies a list of what went into
// it. With a registry, images and lists are sent there.
//
//	build programs [--registry REGISTRY] --version VERSION OUT
//	build root --name NAME --entrypoint PROGRAM ROOT.tar OUT.tar
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "build: "+err.Error())
		os.Exit(1) //nolint:gocritic // the process is at its end
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to build: programs or root")
	}
	switch args[0] {
	case "programs":
		return runPrograms(ctx, args[1:])
	case "root":
		return runRoot(args[1:])
	}
	return fmt.Errorf("cannot build %q: programs or root", args[0])
}

func runPrograms(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build programs", flag.ContinueOnError)
	registry := flags.String("registry", "", "registry and folder to send the images to; empty: they stay here, as dev.local/...")
	version := flags.String("version", "", "version of the service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || flags.NArg() != 1 {
		return errors.New("usage: build programs [--registry REGISTRY] --version VERSION OUT")
	}
	b := builder{out: flags.Arg(0), version: *version, registry: *registry, log: os.Stdout}
	return b.build(ctx)
}

func runRoot(args []string) error {
	flags := flag.NewFlagSet("build root", flag.ContinueOnError)
	name := flags.String("name", "", "name of the image, with its tag")
	entrypoint := flags.String("entrypoint", "", "absolute path of the program to run")
	stopSignal := flags.String("stop-signal", "", "what ends the program, if not SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || *entrypoint == "" || flags.NArg() != 2 {
		return errors.New("usage: build root --name NAME --entrypoint PROGRAM ROOT.tar OUT.tar")
	}
	return packRoot(*name, *entrypoint, *stopSignal, flags.Arg(0), flags.Arg(1))
}
