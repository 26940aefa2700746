import Git

/// In which order a repository's pipelines are looked at: first those whose files changed since the last look. Where a registry is slow,
/// what a commit is about need not wait for what it is not about.
actor TouchedFirst {
    private let remote: any GitRemote
    /// The commit of the last look.
    private var last: ObjectID?

    init(remote: any GitRemote) { self.remote = remote }

    /// - Returns: places in `pipelines`. Where it cannot be told what changed, as they are.
    func order(_ pipelines: [Pipeline], at head: Commit) async -> [Int] {
        let old = last ?? head.parents.first
        last = head.id
        guard pipelines.count > 1, old != head.id,
            let changed = try? await remote.changedPaths(from: old, to: head.id), !changed.isEmpty
        else { return Array(pipelines.indices) }
        let touched = pipelines.map { $0.isTouched(by: changed) }
        return pipelines.indices.filter { touched[$0] } + pipelines.indices.filter { !touched[$0] }
    }
}

extension Pipeline {
    /// Whether one of some files is the Dockerfile or below a folder that the build sees.
    ///
    /// - Parameter paths: sorted.
    fileprivate func isTouched(by paths: [String]) -> Bool {
        if paths.contains(dockerfile) { return true }
        var folders = [contextPath]
        for case .declared(.folder(let path)) in contexts.values { folders.append(path) }
        return folders.contains { folder in
            folder.isEmpty ? !paths.isEmpty : paths.contains { $0.hasPrefix("\(folder)/") }
        }
    }
}
