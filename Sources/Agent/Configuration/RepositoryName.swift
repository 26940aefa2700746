extension AgentConfiguration.RepositoryConfiguration {
    /// What a repository is called where nobody gave it a name: the last part of its URL, without `.git`.
    package static func name(of url: String) -> String {
        let last = url.split(separator: "/").last.map(String.init) ?? url
        return last.hasSuffix(".git") ? String(last.dropLast(4)) : last
    }
}
