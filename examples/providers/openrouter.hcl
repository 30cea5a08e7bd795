# OpenRouter. Models are named vendor/model: upstream = "openai/gpt-5".
provider "openrouter" {
  adapter  = "openai"
  base_url = "https://openrouter.ai/api/v1"
  auth "bearer" {
    token = env("OPENROUTER_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "object"
    thinking_history = "reasoning_details" # Gemini refuses a tool's result without
    documents        = true # PDF files as parts of a message, for every model
  }
}
