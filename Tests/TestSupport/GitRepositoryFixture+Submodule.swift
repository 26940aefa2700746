import Foundation

extension GitRepositoryFixture {
    /// Commits a submodule as the second writer, and what `.gitmodules` says of it.
    ///
    /// - Parameter url: as `.gitmodules` has it.
    /// - Returns: the new head.
    @discardableResult
    package func commitSubmodule(_ path: String, at commit: String, url: String) throws -> String {
        try checkOut()
        let file = URL(fileURLWithPath: workTree + "/.gitmodules")
        let known = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        if !known.contains("path = \(path)\n") {
            try Data("\(known)[submodule \"\(path)\"]\n\tpath = \(path)\n\turl = \(url)\n".utf8).write(to: file)
        }
        // An empty folder is what a submodule looks like that is not checked out.
        try Shell.run(["mkdir", "-p", "\(workTree)/\(path)"])
        try gitInWorkTree("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)")
        return try commitWorkTree(message: "submodule")
    }
}
