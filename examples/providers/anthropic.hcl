# Anthropic. Requests and answers of callers who speak Anthropic pass byte for byte.
provider "anthropic" {
  adapter  = "anthropic"
  base_url = "https://api.anthropic.com"
  auth "header" {
    name  = "x-api-key"
    value = env("ANTHROPIC_API_KEY")
  }
}
