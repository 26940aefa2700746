import Git

/// The user that a URL of the web may carry, who then is not in names, logs and records.
enum WebUser {
    /// The URL without the user in it, and the user.
    static func split(_ text: String) -> (url: String, username: String?, password: String?) {
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "https:" || parts[0] == "http:", let at = parts[2].lastIndex(of: "@"),
            let url = try? RemoteURL(text.prefix { $0 != "#" }.description)
        else { return (text, nil, nil) }
        let host = parts[2][parts[2].index(after: at)...]
        return ("\(parts[0])//\(host)/\(parts[3])", url.username, url.password)
    }
}
