import Sandbox

/// Where the mounts of a step go, in the order of the instruction: each is put into what those before it show.
///
/// A path leads through the links of the root as far as no mount covers it, and from there through those of what is mounted. What it
/// ends at has no links in it.
struct MountPlaces {
    private struct Cover {
        let path: ImagePath
        /// What is mounted there; `nil`: something empty, which exists only while the step runs.
        let source: LayeredRoot?
    }

    /// Where a mount goes.
    struct Place {
        /// From the step's root, free of links.
        let path: ImagePath
        /// The directory on this machine that shows there, and the path within; `nil` in the root, and in what is empty.
        let inside: (source: HostPath, path: ImagePath)?
        /// Whether the root itself shows there.
        let isInRoot: Bool
        /// What is there already.
        let item: LayeredRoot.Item?
    }

    private let root: LayeredRoot
    private var covers: [Cover] = []

    /// - Parameter hasOwnDevices: whether the step's `/dev`, `/proc` and `/sys` are the sandbox's, and not the root's.
    init(on root: LayeredRoot, hasOwnDevices: Bool) {
        self.root = root
        if hasOwnDevices { covers = ["/dev", "/proc", "/sys"].map { Cover(path: ImagePath($0), source: nil) } }
    }

    /// Where a path of the step leads, as the mounts so far are.
    func place(of wanted: ImagePath) throws(BuildError) -> Place {
        var base = ImagePath.root
        var top = -1
        var taken: [FileName] = []
        var found = LayeredRoot.Resolved(path: .root, item: .folder(try root.root()))
        for name in wanted.components {
            taken.append(name)
            found = try resolve(ImagePath(components: taken), in: top)
            let here = base.appending(found.path)
            // A later mount hides an earlier one.
            let next = covers.indices.last { $0 > top && here.components.starts(with: covers[$0].path.components) }
            guard let next else { continue }
            (base, top) = (covers[next].path, next)
            taken = Array(here.components.dropFirst(base.components.count))
            found = try resolve(ImagePath(components: taken), in: top)
        }
        let source = top < 0 ? nil : covers[top].source?.layers.last
        return Place(
            path: base.appending(found.path), inside: source.map { ($0, found.path) }, isInRoot: top < 0,
            item: found.item)
    }

    /// - Parameter index: of the cover; -1 for the root.
    private func resolve(_ path: ImagePath, in index: Int) throws(BuildError) -> LayeredRoot.Resolved {
        guard index >= 0 else { return try root.resolve(path) }
        guard let source = covers[index].source else { return LayeredRoot.Resolved(path: path, item: nil) }
        return try source.resolve(path)
    }

    /// Settles where a mount goes, for itself and for those after it.
    mutating func add(_ mount: inout SandboxStep.Mount) throws(BuildError) -> Place {
        let place = try place(of: ImagePath(mount.target))
        mount.target = place.path.text
        switch mount.kind {
        case .tmpfs(let size, _):
            // As runc does it: what covers a directory has its mode, and else everybody may write.
            var mode: UInt32 = 0o1777
            if case .folder(let folder)? = place.item { mode = folder.node.mode }
            mount.kind = .tmpfs(size: size, mode: mode)
            covers.append(Cover(path: place.path, source: nil))
        case .bind(let source):
            let host = HostPath(source)
            guard try Node.read(host, .apply)?.kind == .directory else { break }
            covers.append(Cover(path: place.path, source: LayeredRoot(layers: [host], ownership: root.ownership)))
        case .content: break
        }
        return place
    }
}

extension SandboxStep.Mount {
    /// Whether a file is mounted, and not a directory.
    func isOfFile() throws(BuildError) -> Bool {
        switch kind {
        case .bind(let source): try Node.read(HostPath(source), .apply)?.kind != .directory
        case .content: true
        case .tmpfs: false
        }
    }
}
