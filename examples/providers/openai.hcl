# OpenAI, Chat Completions. For models whose tools only work in Responses see openai-responses.hcl.
provider "openai" {
  adapter  = "openai"
  base_url = "https://api.openai.com/v1"
  auth "bearer" {
    token = env("OPENAI_API_KEY")
  }
  settings = {
    documents = true # PDF files as parts of a message
  }
}
