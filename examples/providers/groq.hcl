# Groq.
provider "groq" {
  adapter  = "openai"
  base_url = "https://api.groq.com/openai/v1"
  auth "bearer" {
    token = env("GROQ_API_KEY")
  }
}
