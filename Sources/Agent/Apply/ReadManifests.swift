import Git

/// The objects of the revision that was read last: a look that finds no new commit reads no file again and starts no kustomize.
actor ReadManifests {
    private var last: (revision: ObjectID, paths: [String], found: ManifestReader.Found)?

    func objects(below paths: [String], by reader: ManifestReader) async -> ManifestReader.Found {
        let revision = reader.tree.revision.id
        if let last, last.revision == revision, last.paths == paths { return last.found }
        let found = await reader.objects(below: paths)
        // What could not be read may be there the next time: kubectl, or an object of the mirror.
        last = found.failures.isEmpty ? (revision, paths, found) : nil
        return found
    }
}
