# Azure OpenAI by its v1 API, where a model's upstream is the deployment's name. For a dated API version instead:
#   base_url = "https://RESOURCE.openai.azure.com/openai/deployments"
#   settings = { path = "/{model}/chat/completions", query = "api-version=2024-10-21" }
provider "azure" {
  adapter  = "openai"
  base_url = env("AZURE_OPENAI_BASE_URL", "https://RESOURCE.openai.azure.com/openai/v1")
  auth "header" {
    name  = "api-key"
    value = env("AZURE_OPENAI_API_KEY")
  }
}
