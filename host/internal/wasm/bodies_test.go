package wasm_test

import (
	"fmt"
	"strings"
)

// smallBody is the smallest request there is.
const smallBody = `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`

// bigBody is the request of a coding agent, some 200 KiB, with its tools and a long history.
func bigBody() string {
	var tools, history []string
	for i := range 20 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":%q,"input_schema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",`+
			`"properties":{"path":{"type":"string","description":"the path of the file"},"limit":{"type":"integer","exclusiveMinimum":0},"mode":{"type":"string","enum":["a","b"]}},`+
			`"required":["path"],"additionalProperties":false},"cache_control":{"type":"ephemeral"}}`, i, strings.Repeat("It does one thing well. ", 60)))
	}
	for i := range 40 {
		history = append(history, fmt.Sprintf(`{"role":"user","content":[{"type":"text","text":%q}]}`, strings.Repeat("please look at the file once more. ", 20)),
			fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"I'll look."},{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"a/b/c.go","limit":3}}]}`, i),
			fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":%q}]}`, i, strings.Repeat("\tif err != nil {\n\t\treturn \"wrong\"\n\t}\n", 80)))
	}
	return `{"model":"m","max_tokens":64,"system":"You are an agent.","tools":[` + strings.Join(tools, ",") + `],"messages":[` + strings.Join(history, ",") + `]}`
}
