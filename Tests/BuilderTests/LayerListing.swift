import Builder
import Foundation
import OCI
import TestSupport

/// A layer's entries as Python's tarfile reads them: everything that a tar can say of a file.
struct LayerListing {
    struct Entry: Decodable, Equatable {
        /// `f`, `d`, `l`, `h`, `c`, `b`, `p`
        var type: String
        var mode: Int
        var uid: Int
        var gid: Int
        var mtime: Int
        var link: String
        var xattrs: [String: String]
        var content: String

        /// `f 0644 0:0`, and the target of links.
        var short: String {
            let octal = String(mode, radix: 8)
            return "\(type) 0\(octal == "0" ? "" : octal) \(uid):\(gid)" + (link.isEmpty ? "" : " \(link)")
        }
    }

    let entries: [String: Entry]

    init(blob: String) throws {
        let program = """
            import json, sys, tarfile
            kinds = {tarfile.REGTYPE: 'f', tarfile.AREGTYPE: 'f', tarfile.DIRTYPE: 'd', tarfile.SYMTYPE: 'l',
                     tarfile.LNKTYPE: 'h', tarfile.CHRTYPE: 'c', tarfile.BLKTYPE: 'b', tarfile.FIFOTYPE: 'p'}
            found = {}
            with tarfile.open(sys.argv[1]) as archive:
                for entry in archive:
                    text = archive.extractfile(entry).read(4096).decode('utf-8', 'replace') if entry.isreg() else ''
                    found[entry.name.encode('utf-8', 'surrogateescape').decode('utf-8', 'backslashreplace')] = {
                        'type': kinds.get(entry.type, '?'), 'mode': entry.mode, 'uid': entry.uid, 'gid': entry.gid,
                        'mtime': int(entry.mtime), 'link': entry.linkname, 'content': text,
                        'xattrs': {key[13:]: value for key, value in entry.pax_headers.items()
                                   if key.startswith('SCHILY.xattr.')}}
            print(json.dumps(found))
            """
        let output = try Shell.run(["python3", "-c", program, blob]).stdout
        entries = try JSONDecoder().decode([String: Entry].self, from: Data(output.utf8))
    }

    subscript(path: String) -> Entry? { entries[path] }

    /// Every entry in its short form.
    var short: [String: String] { entries.mapValues(\.short) }
}

extension Workbench.Result {
    /// What a layer holds, counted from the image's first; from the last with a negative number.
    func layer(_ index: Int) throws -> LayerListing {
        let layer = image.layers[index < 0 ? image.layers.count + index : index]
        return try LayerListing(blob: bench.directory.file("out/blobs/sha256/\(layer.descriptor.digest.encoded)"))
    }
}
