import Forge
import HTTP
import YAML

/// Reads `git.status:`. What a repository does not say is as for all.
enum StatusReader {
    static func status(
        _ value: YAMLValue, over base: AgentConfiguration.StatusSettings?
    ) throws(YAMLError) -> AgentConfiguration.StatusSettings {
        try value.object { (object) throws(YAMLError) in
            var settings: AgentConfiguration.StatusSettings
            if let base {
                settings = base
                if let host = object.optional("host") { settings.host = try host.choice() }
            } else {
                settings = AgentConfiguration.StatusSettings(host: try object.required("host").choice())
            }
            settings.api = try object.optional("api")?.nonEmptyString() ?? settings.api
            settings.project = try object.optional("project")?.nonEmptyString() ?? settings.project
            settings.tokenFile = try object.optional("tokenFile")?.nonEmptyString() ?? settings.tokenFile
            settings.isInsecure = try object.optional("insecure")?.bool() ?? settings.isInsecure
            if let value = object.optional("pages") { settings.pages = try pages(value) }
            if let value = object.optional("checks") { settings.hasChecks = try value.bool() }
            if settings.hasChecks, settings.host != .github {
                throw (object.optional("checks") ?? value).error(
                    "only GitHub has check runs", hint: "leave 'checks' out: statuses are shown anyway")
            }
            let wantsPages = settings.host == .bitbucket || settings.host == .bitbucketServer
            guard !wantsPages || settings.pages != nil else {
                throw value.error(
                    "Bitbucket takes no status without a link", hint: "write where the agent's pages are as 'pages'")
            }
            return settings
        }
    }

    static func pages(_ value: YAMLValue) throws(YAMLError) -> String {
        var text = try value.nonEmptyString()
        while text.hasSuffix("/") { text.removeLast() }
        guard let url = try? HTTPURL(text), !text.contains("@"), !text.contains("?"), !url.host.isEmpty else {
            throw value.error("'\(text.prefix(60))' is not the URL of pages", hint: "write https://HOST[/PATH]")
        }
        return text
    }
}
