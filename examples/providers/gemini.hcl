# Gemini by its own API.
provider "gemini" {
  adapter  = "gemini"
  base_url = "https://generativelanguage.googleapis.com/v1beta"
  auth "header" {
    name  = "x-goog-api-key"
    value = env("GEMINI_API_KEY")
  }
}
