"""RNA samples: what cannot be used is a row with the reason."""

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from confuselt.acquire.cohort import read_rna_ids
from confuselt.acquire.headers import check_matrices, header_notes
from confuselt.rna.gather import gather
from confuselt.rna.schema import INDEX
from confuselt.tables import check_table


def samples(n):
    return pd.DataFrame(
        {
            "sample_id": [f"P{i}" for i in range(n)],
            "patient_id": [f"P{i}" for i in range(n)],
            "status": "ok",
            "reason": None,
            "row": range(n),
        }
    )


def test_bad_samples_are_rows_and_the_rest_is_read(tmp_path):
    rows = {
        "P0": [1, 2, 3],
        "P1": [0, 0, 0],
        "P2": [1, np.nan, 2],
        "P3": [1, -2, 2],
        "P4": [1.5, 2, 3],
        "P5": [np.nan] * 3,
        "P6": [3, np.inf, 1],
    }
    pd.DataFrame(rows, index=["A", "B", "C"]).T.rename_axis("patient_id").reset_index().to_csv(
        tmp_path / "rna.csv", index=False
    )
    adata, index = gather(tmp_path / "rna.csv", samples(7), "patient_id", counts=True, data=tmp_path)
    check_table(index, INDEX)
    assert adata.obs_names.tolist() == ["P0"] and adata.X.tolist() == [[1, 2, 3]] and adata.X.dtype == np.int64
    reasons = index.set_index("patient_id")["reason"]
    for patient, said in {
        "P1": "rna.csv row 2 (P1): the sample is empty",
        "P2": "first B",
        "P3": "gene B has the negative count -2",
        "P4": "not whole numbers",
        "P5": "is empty",
        "P6": "NaN or infinite",
    }.items():
        assert said in reasons[patient]


def test_values_and_order_of_patients(tmp_path):
    pd.DataFrame({"patient_id": ["P1", "P0"], "A": [0.5, -1.0]}).to_parquet(tmp_path / "rna.parquet")
    table = samples(2).assign(row=[1, 0])
    adata, _ = gather(tmp_path / "rna.parquet", table, "patient_id", counts=False, data=tmp_path)
    assert adata.obs_names.tolist() == ["P0", "P1"] and adata.X[:, 0].tolist() == [-1.0, 0.5]


def test_repeated_genes_are_refused(tmp_path):
    (tmp_path / "rna.tsv").write_text("patient_id\tA\tB\nP0\t1\t2\n")
    adata, index = gather(None, samples(1), "patient_id", counts=True, data=tmp_path)
    assert adata.shape == (0, 0) and len(index) == 1
    with pytest.raises(ValueError, match="no column"):
        from confuselt.sheets.read import read_sheet

        read_sheet(tmp_path / "rna.tsv", columns=["C"])


def test_counts_of_a_gene_in_several_columns_are_summed_and_those_of_a_scaled_matrix_refused(tmp_path):
    (tmp_path / "rna.csv").write_text("patient_id,B,A,B\nP0,1,2,3\nP1,4,5,6\n")
    adata, _ = gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=True, data=tmp_path)
    assert adata.var_names.tolist() == ["B", "A"] and adata.X.tolist() == [[4, 2], [10, 5]]
    with pytest.raises(ValueError, match="genes \\['B'\\] stand in several columns; scaled values cannot be summed"):
        gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=False, data=tmp_path)


def test_a_large_count_stays_itself_and_an_impossible_one_is_refused(tmp_path):
    (tmp_path / "rna.csv").write_text("patient_id,A,B\nP0,3000000000,1\nP1,1,1e15\nP2,2147483648,7\n")
    adata, index = gather(tmp_path / "rna.csv", samples(3), "patient_id", counts=True, data=tmp_path)
    assert adata.X[:, 0].tolist() == [3_000_000_000, 2_147_483_648]
    assert (
        "gene B has the count 1e+15; no sample has so many reads" in index.set_index("patient_id").loc["P1", "reason"]
    )


@pytest.mark.parametrize("first", ["sample", "Hugo_Symbol", "gene_id", ""])
@pytest.mark.parametrize("ending", ["csv", "tsv.gz", "parquet", "xlsx", "h5ad", "sparse.h5ad"])
def test_genes_in_rows_are_the_same_matrix(tmp_path, first, ending):
    """As Xena and cBioPortal have them: facts of a gene beside its name are no samples."""
    upright = pd.DataFrame({"patient_id": ["P0", "P1"], "A": [1, 2], "B": [0, 7], "C": [5, 5]})
    upright.to_csv(tmp_path / "upright.csv", index=False)
    turned = pd.DataFrame({first: ["A", "B", "C"], "Entrez_Gene_Id": [11, 12, 13], "P1": [2, 7, 5], "P0": [1, 0, 5]})
    path = tmp_path / f"rna.{ending}"
    if ending == "parquet":
        turned.to_parquet(path)
    elif ending.endswith("h5ad"):
        x = turned[["P1", "P0"]].to_numpy(np.int64).T
        obs, var = pd.DataFrame({"age": [1, 2]}, index=["P1", "P0"]), pd.DataFrame(index=["A", "B", "C"])
        ad.AnnData(csr_matrix(x) if "sparse" in ending else x, obs, var).write_h5ad(path)
    elif ending == "xlsx":
        turned.to_excel(path, index=False)
    else:
        turned.to_csv(path, index=False, sep="," if ending == "csv" else "\t")
    found = []
    for matrix in (tmp_path / "upright.csv", path):
        check_matrices({"rna": matrix}, "patient_id", counts=True)
        rows = read_rna_ids(matrix, {"acquire.id_column": "patient_id"})
        found.append(gather(matrix, rows, "patient_id", counts=True, data=tmp_path)[0].to_df())
    pd.testing.assert_frame_equal(*found)
    said = "X is read" if ending.endswith("h5ad") else "genes stand in rows"
    assert any(said in note for note in header_notes("rna", path, "patient_id"))


def test_what_is_no_anndata_is_told_so(tmp_path):
    path = tmp_path / "rna.h5ad"
    path.write_text("no")
    with pytest.raises(ValueError, match=r"rna.h5ad: cannot be read as AnnData \("):
        read_rna_ids(path, {"acquire.id_column": "patient_id"})
    with h5py.File(path, "w") as file:
        file["features"] = [1]
    with pytest.raises(ValueError, match="cannot be read as AnnData: it holds features"):
        read_rna_ids(path, {"acquire.id_column": "patient_id"})


def test_a_gene_in_two_rows_is_summed_and_a_row_without_one_refused(tmp_path):
    path = tmp_path / "rna.tsv"
    path.write_text("gene\tP0\tP1\nA\t1\t2\nB\t3\t4\nA\t10\t20\n")
    rows = read_rna_ids(path, {"acquire.id_column": "patient_id"})
    assert gather(path, rows, "patient_id", counts=True, data=tmp_path)[0].to_df().loc["P1"].to_dict() == {
        "A": 22,
        "B": 4,
    }
    with pytest.raises(ValueError, match="stand in several"):
        gather(path, rows, "patient_id", counts=False, data=tmp_path)
    path.write_text("gene\tP0\tP1\nA\t1\t2\n\t3\t4\n")
    with pytest.raises(ValueError, match="row 2 has no name"):
        gather(path, rows, "patient_id", counts=True, data=tmp_path)


def test_expected_counts_are_rounded_where_that_is_asked_for(tmp_path):
    pd.DataFrame({"patient_id": ["P0", "P1"], "A": [1.4, 900.0], "B": [99.6, 3.0]}).to_csv(
        tmp_path / "rna.csv", index=False
    )
    adata, index = gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=True, data=tmp_path)
    assert list(adata.obs_names) == ["P1"] and "set rna.round: true" in index.set_index("patient_id")["reason"]["P0"]
    adata, _ = gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=True, data=tmp_path, rounded=True)
    assert adata.X.tolist() == [[1, 100], [900, 3]] and adata.X.dtype == np.int64
    (pd.DataFrame({"patient_id": ["P0"], "A": [1.4], "B": [9.6]})).to_csv(tmp_path / "rna.csv", index=False)
    _, index = gather(tmp_path / "rna.csv", samples(1), "patient_id", counts=True, data=tmp_path)
    assert "it looks like a log scale: set rna.matrix: normalised" in index["reason"].item()


def test_counts_that_are_called_normalised_stop_the_run(tmp_path):
    pd.DataFrame({"patient_id": ["P0", "P1"], "A": [1, 1001], "B": [99, 3]}).to_csv(tmp_path / "rna.csv", index=False)
    with pytest.raises(ValueError, match="whole numbers up to 1001: these are counts; set rna.matrix: counts"):
        gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=False, data=tmp_path)
    pd.DataFrame({"patient_id": ["P0", "P1"], "A": [1, 2], "B": [2, 1]}).to_csv(tmp_path / "rna.csv", index=False)
    assert len(gather(tmp_path / "rna.csv", samples(2), "patient_id", counts=False, data=tmp_path)[0]) == 2, "ranks"


@pytest.mark.parametrize("release", [1, 17])
def test_releases_of_ensembl_and_entrez_ids_do_not_count(tmp_path, release, caplog):
    """So that a model of one release serves counts of another."""
    patients = ["a", "b"]
    table = pd.DataFrame({f"ENSG{k:011d}.{release}": [k, k + 1] for k in range(3)} | {"ESR1|2099": [4, 5]})
    table.assign(patient_id=patients).to_csv(tmp_path / "rna.csv", index=False)
    rows = read_rna_ids(tmp_path / "rna.csv", {"acquire.id_column": "patient_id"})
    with caplog.at_level("INFO"):
        adata, _ = gather(tmp_path / "rna.csv", rows, "patient_id", True, tmp_path)
    assert list(adata.var_names) == [*(f"ENSG{k:011d}" for k in range(3)), "ESR1"]
    assert "4 genes are called by less, as 'ENSG00000000000" in caplog.text
