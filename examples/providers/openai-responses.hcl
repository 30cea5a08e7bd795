# OpenAI, Responses: the models whose tools Chat Completions refuses, and thinking that survives a tool's round trip.
provider "openai-responses" {
  adapter  = "openai-responses"
  base_url = "https://api.openai.com/v1"
  auth "bearer" {
    token = env("OPENAI_API_KEY")
  }
}
