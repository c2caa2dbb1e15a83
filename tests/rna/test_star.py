"""STAR counts of GDC: read as written, other layouts refused with words, a folder of files joined."""

import numpy as np
import pandas as pd
import pytest

from confuselt.rna.gather import gather, read_count_files
from confuselt.rna.genes import PAM50_GENES
from confuselt.rna.star import GeneModel, read_star, write_star
from confuselt.unusable import Unusable


def test_counts_come_back(tmp_path):
    counts = pd.Series([5, 0, 7], index=["ESR1", "KRT5", "SIM1"])
    write_star(counts, tmp_path / "a.tsv")
    assert read_star(tmp_path / "a.tsv").to_dict() == counts.to_dict()
    text = (tmp_path / "a.tsv").read_text()
    assert text.startswith("# gene-model") and "N_unmapped" in text


def test_ids_of_one_name_are_summed(tmp_path):
    lines = [
        "# gene-model: GENCODE v36",
        "gene_id\tgene_name\tgene_type\tunstranded",
        "N_unmapped\t\t\t9",
        "E1.1\tA\tprotein_coding\t3",
        "E2.1\tA\tprotein_coding\t4",
        "E3.1\tB\tlncRNA\t1",
    ]
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    assert read_star(tmp_path / "a.tsv").to_dict() == {"A": 7, "B": 1}


def test_other_layouts_say_what_is_wrong(tmp_path):
    (tmp_path / "htseq.tsv").write_text("ENSG1\t5\nENSG2\t6\n")
    (tmp_path / "broken.tsv").write_text("gene_id\tgene_name\tgene_type\tunstranded\nE1\tA\tx\t1.5\n")
    (tmp_path / "empty.tsv").touch()
    for name, words in (
        ("htseq.tsv", "no column gene_id"),
        ("broken.tsv", r"no whole numbers, first A \(1.5\)"),
        ("empty.tsv", "cannot be read"),
        ("no.tsv", "listed but absent"),
    ):
        with pytest.raises(Unusable, match=words) as fault:
            read_star(tmp_path / name)
        assert name in str(fault.value)


def test_files_of_a_cohort_are_joined_and_an_odd_one_is_named(tmp_path):
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(20)]
    for name in "abc":
        write_star(pd.Series(rng.integers(1, 50, 20), index=genes), tmp_path / f"{name}.tsv")
    write_star(pd.Series([1, 2], index=["G0", "OTHER"]), tmp_path / "d.tsv")
    (tmp_path / "rna.csv").write_text(
        "sample_id,patient_id,file\n" + "".join(f"{n}-01,P{n},{n}.tsv\n" for n in "abcde")
    )
    samples = pd.DataFrame(
        {
            "sample_id": [f"{n}-01" for n in "abcde"],
            "patient_id": [f"P{n}" for n in "abcde"],
            "status": "ok",
            "reason": None,
            "row": range(5),
        }
    )
    adata, index = gather(tmp_path / "rna.csv", samples, "patient_id", True, tmp_path)
    assert list(adata.obs_names) == ["Pa", "Pb", "Pc"] and list(adata.var_names) == genes and adata.X.dtype == np.int64
    assert adata["Pb"].X.ravel().tolist() == read_star(tmp_path / "b.tsv").tolist()
    reasons = index.set_index("sample_id")["reason"]
    assert (
        "d.tsv: 2 genes, most files have 20 (20 differ)" in reasons["d-01"]
        and "e.tsv: the file is listed but absent" in reasons["e-01"]
    )
    assert read_count_files(pd.Series([None]), tmp_path)[2] == {0: "the RNA sheet names no file"}


def test_pam50_has_fifty_genes():
    assert len(set(PAM50_GENES)) == 50


@pytest.mark.parametrize("seed", range(4))
def test_a_file_is_read_alike_beside_others(tmp_path, seed):
    """Names that stand twice, another list of genes, a file with an odd count in between: pandas' own sums."""
    rng, model = np.random.default_rng(seed), GeneModel()
    for k, genes in enumerate((list("ABCAB"), list("ABCAB"), list("BADAA"), list("ABCAB"))):
        path, counts = tmp_path / f"{k}.tsv", rng.integers(0, 9, 5)
        lines = "".join(f"ENSG{i}\t{g}\tx\t{c}\n" for i, (g, c) in enumerate(zip(genes, counts, strict=True)))
        path.write_text("# m\ngene_id\tgene_name\tgene_type\tunstranded\nN_unmapped\t\t\t7\n" + lines)
        wanted = pd.Series(counts, genes).groupby(level=0, sort=False).sum()
        for known in (model, None):
            found = read_star(path, known)
            assert found.to_dict() == wanted.to_dict() and list(found.index) == list(wanted.index)
        if k == 1:
            path.write_text(path.read_text().replace("ENSG0\tA\tx\t", "ENSG0\tA\tx\t0."))
            if counts[0]:
                with pytest.raises(Unusable, match="no whole numbers, first A"):
                    read_star(path, model)
