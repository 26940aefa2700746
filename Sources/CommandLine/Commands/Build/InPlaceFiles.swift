import Agent
import Builder
import FileSystem
import Glibc
import OCI
import Registry

/// What isolation in place needs of a root directory that it empties.
enum InPlaceFiles {
    /// Copies the system's certificates, which registries are asked with after the image's files have taken their place.
    ///
    /// - Returns: the copy; `nil` where the system has none.
    static func saveCertificates(in folder: String) -> String? {
        let copy = folder + "/ca-certificates.crt"
        guard let source = SystemCertificates.bundles.first(where: { access($0, R_OK) == 0 }),
            let text = try? TextFile.read(source, limit: 16 << 20)
        else { return access(copy, R_OK) == 0 ? copy : nil }
        return (try? TextFile.write(String(decoding: text, as: UTF8.self), to: copy)) == nil ? nil : copy
    }

    /// What stays in the root: what the build reads, where its image goes, and the files that name it.
    static func kept(_ options: BuildOptions, _ pushes: [ImageLocation]) -> [String] {
        let contexts = options.context.named.compactMap { $0.split(separator: "=", maxSplits: 1).last.map(String.init) }
        let sources = [options.context.context, options.context.dockerfile].compactMap { $0 } + contexts
        let results = [
            options.output.tarPath, options.output.layoutPath, options.output.digestFile, options.output.nameFile,
            options.output.nameTagFile,
        ].compactMap { $0 }
        let outputs = options.output.output.flatMap { $0.split(separator: ",") }.compactMap { field in
            field.hasPrefix("dest=") ? String(field.dropFirst(5)) : nil
        }
        let folders = ["DOCKER_CONFIG", "BUILDER_OUTPUT"].compactMap(OutputOptions.environment)
        let paths = (sources + results + outputs + folders).flatMap { text in
            // "dir:///src", "oci-layout:///srv/base:tag"
            guard let scheme = text.firstRange(of: "://") else { return [text] }
            let path = text[scheme.upperBound...]
            return [String(path), String(path.prefix { $0 != ":" })]
        }
        let own = ["/kaniko", "/proc/self/exe"] + [options.registries.registries.dockerConfig].compactMap { $0 }
        return (paths + own + pushes.compactMap(directory)).filter { !$0.isEmpty }.map(TextFile.absolute)
    }

    /// The directory that a destination is, if it is one.
    static func directory(_ location: ImageLocation) -> String? {
        let text = location.description
        guard text.hasPrefix("oci:"), let colon = text.lastIndex(of: ":") else { return nil }
        let start = text.index(text.startIndex, offsetBy: 4)
        return colon > start ? String(text[start..<colon]) : String(text[start...])
    }
}
