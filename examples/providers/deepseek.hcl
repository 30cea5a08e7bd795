# DeepSeek.
provider "deepseek" {
  adapter  = "openai"
  base_url = "https://api.deepseek.com"
  auth "bearer" {
    token = env("DEEPSEEK_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "thinking" # a switch, without a measure
    thinking_history = "reasoning_content"
    leave_out        = ["response_format"] # JSON without a schema is all it has
  }
}
