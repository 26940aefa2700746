import ContentStore
import FileSystem
import Glibc
import Sandbox

/// The builder's part of the state directory. It is a cache: everything in it can be deleted between builds.
/// Files of images lie in it as they are, setuid programs too: `StateDirectory` keeps other users out.
///
///     content/   blobs by digest
///     layers/    unpacked layers by chain id, for overlays
///     steps/     layers by the keys of the steps that made them
///     records/   what the keys of steps were made of
///     dates/     when images were made, by the keys of their content
///     indexes/   the files' names of layers, by the digests of their content
///     builds/    scratch of running builds
///     caches/    RUN --mount=type=cache, a directory for each namespace
///     remote/    what servers called the files that ADD fetched
///     contexts/  what the files of directories held
///     uses/      a locked file for each build that uses the store
///     git-sources/  mirrors of repositories that builds take files from; the agent's own are in git/
///
/// Of an ordinary user with subordinate ids, `layers`, `builds` and `caches` have those in their names: see `SubordinateIDs`.
struct BuildStore: Sendable {
    let path: String
    let content: ContentStore
    let layers: LayerDirectories
    let steps: StepCache
    let records: StepRecords
    let dates: ImageDates
    let indexes: LayerIndex
    let lease: StoreLease
    let ownership: OwnershipMode
    let buildsFolder: String
    let cachesFolder: String
    /// Made by those who fetch into it.
    var gitSourcesFolder: String { path + "/git-sources" }

    init(path: String, canChown: Bool) throws(BuildError) {
        var absolute = path
        if !path.hasPrefix("/") {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            guard getcwd(&buffer, buffer.count) != nil else { throw HostPath(path).failure("find the state directory") }
            let here = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            absolute = here + "/" + path
        }
        self.path = absolute
        ownership = canChown ? .apply : .record
        // What is owned by subordinate ids means something only under the same map of them.
        let map = IdentityMap.mark.map { "@" + $0 } ?? ""
        let layersFolder: String
        do throws(StateDirectoryError) {
            let state = try StateDirectory(absolute)
            buildsFolder = try state.folder("builds" + map)
            cachesFolder = try state.folder("caches" + map)
            layersFolder = try state.folder("layers" + map)
            for name in ["content", "steps", "records", "dates", "indexes", "remote", "uses"] {
                _ = try state.folder(name)
            }
        } catch {
            throw BuildError(.storage, from: error)
        }
        do { content = try ContentStore(path: absolute + "/content") } catch {
            throw BuildError(.storage, from: error)
        }
        steps = StepCache(folder: HostPath(absolute + "/steps"), content: content)
        records = StepRecords(folder: HostPath(absolute + "/records"))
        dates = ImageDates(folder: HostPath(absolute + "/dates"))
        indexes = LayerIndex(folder: HostPath(absolute + "/indexes"), content: content)
        lease = StoreLease(path: HostPath(absolute + "/store.lock"), uses: HostPath(absolute + "/uses"))
        layers = LayerDirectories(folder: HostPath(layersFolder), ownership: ownership, use: content.use)
        try ScratchDirectory.removeAbandoned(in: buildsFolder)
    }
}
