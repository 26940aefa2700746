import Text

/// Where a host shows the commits between two others.
package enum CommitComparison {
    /// - Parameter source: a repository's URL, as an image's annotation has it. Anybody may have written it.
    /// - Returns: `nil` for a host of which it is not known what it is.
    package static func url(of source: String, from old: String, to new: String) -> String? {
        let schemes = ["https://", "http://", "ssh://", "git@"]
        guard source.utf8.count <= 500, schemes.contains(where: source.hasPrefix),
            let location = ForgeProject.location(of: source),
            let kind = ForgePlace.kind(of: location.host), let place = ForgePlace(kind, location),
            location.host.utf8.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") })
        else { return nil }
        let path = place.path.split(separator: "/").map { PercentEncoding.encode(String($0)) }
        guard kind == .gitlab ? path.count >= 2 : path.count == 2 else { return nil }
        let page = "https://\(location.host)/" + path.joined(separator: "/")
        switch kind {
        case .github, .gitea: return "\(page)/compare/\(old)...\(new)"
        case .gitlab: return "\(page)/-/compare/\(old)...\(new)"
        case .bitbucket: return "\(page)/branches/compare/\(new)..\(old)"
        case .bitbucketServer: return nil
        case .azureDevOps:
            let versions = "baseVersion=GC\(old)&targetVersion=GC\(new)"
            return "\(place.api)/\(path[0])/_git/\(path[1])/branchCompare?\(versions)"
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool { PercentEncoding.isUnreserved(byte) }
}
