"""Product tokens of crawlers that say of themselves, or are documented, to feed AI systems.

Compiled from the operators' own documentation and the public ai.robots.txt list (MIT). Agents that
make link previews are left out on purpose: they show a post to people.
"""

AI_AGENTS = (
    "AI2Bot", "Ai2Bot-Dolma", "aiHitBot", "Amazonbot", "Andibot", "anthropic-ai", "Applebot-Extended",
    "Bytespider", "CCBot", "ChatGPT-User", "Claude-SearchBot", "Claude-User", "Claude-Web", "ClaudeBot",
    "cohere-ai", "cohere-training-data-crawler", "Cotoyogi", "Crawlspace", "Devin", "Diffbot", "DuckAssistBot",
    "FacebookBot", "Factset_spyderbot", "FirecrawlAgent", "FriendlyCrawler", "Google-CloudVertexBot",
    "Google-Extended", "GPTBot", "iaskspider", "ICC-Crawler", "ImagesiftBot", "img2dataset", "ISSCyberRiskCrawler",
    "Kangaroo Bot", "meta-externalagent", "Meta-ExternalFetcher", "MistralAI-User", "NovaAct", "OAI-SearchBot",
    "omgili", "omgilibot", "PanguBot", "Perplexity-User", "PerplexityBot", "PetalBot", "PhindBot", "Scrapy",
    "SemrushBot-OCOB", "Sidetrade indexer bot", "TikTokSpider", "Timpibot", "VelenPublicWebCrawler",
    "Webzio-Extended", "xAI-Bot", "YouBot",
)  # fmt: skip
