# Azure OpenAI, Responses, by its v1 API; a model's upstream is the deployment's name. For a dated API version instead:
#   base_url = "https://RESOURCE.openai.azure.com/openai"
#   settings = { query = "api-version=2025-04-01-preview" }
provider "azure-responses" {
  adapter  = "openai-responses"
  base_url = env("AZURE_OPENAI_BASE_URL", "https://RESOURCE.openai.azure.com/openai/v1")
  auth "header" {
    name  = "api-key"
    value = env("AZURE_OPENAI_API_KEY")
  }
  settings = {
    user_field = "user" # its name for the caller's metadata.user_id
    count_path = ""     # tokens are estimated
  }
}
