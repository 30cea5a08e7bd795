// Command pack puts recorded cases into a compiled plugin, so that a host can test it before it serves:
//
//	go run github.com/ainfera-ai/router/sdk/sdktest/pack plugin.wasm cases.jsonl
//
// The module is written back in place, or to -o. Cases are one JSON object a line; see sdktest.Case.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

func main() {
	out := flag.String("o", "", "where the module is written; in place by default")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pack [-o OUT] MODULE.wasm CASES.jsonl")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if *out == "" {
		*out = flag.Arg(0)
	}
	if err := pack(flag.Arg(0), flag.Arg(1), *out); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(module, cases, out string) error {
	code, err := os.ReadFile(module)
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	lines, err := os.ReadFile(cases)
	if err != nil {
		return fmt.Errorf("read the cases: %w", err)
	}
	packed, err := sdktest.PackCases(code, lines)
	if err != nil {
		return fmt.Errorf("%s into %s: %w", cases, module, err)
	}
	// A host that watches the file must never see half of it.
	if err := os.WriteFile(out+".new", packed, 0o644); err != nil {
		return err
	}
	return os.Rename(out+".new", out)
}
