package sdk

import "unsafe"

//go:wasmimport ainfera_v1 log
func hostLog(level uint32, ptr unsafe.Pointer, size uint32)

func log(level Level, line string) {
	hostLog(uint32(level), unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}
